"""The process environment, ``.env`` and TOML files."""

import grp
import os
import pwd
import stat
import sys
from pathlib import Path

import pytest

from batchrunner import environment
from batchrunner.environment import load_settings, read_toml
from batchrunner.errors import ConfigError
from batchrunner.inputs.contents import filled
from batchrunner.ownership import Access, access

CANARY = "canary-6f1d"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """An empty folder and an empty environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {})


def read_environ(path=None):
    """Without what pytest keeps there."""
    found = environment.read_environ(path)
    found.pop("PYTEST_CURRENT_TEST", None)
    return found


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_without_files_there_is_the_process():
    os.environ["A"] = "1"

    assert read_environ() == {"A": "1"}
    assert read_toml(None) == {}


def test_the_file_called_env_is_read_where_there_is_one(write):
    write(".env", "A=1\n")

    assert read_environ() == {"A": "1"}


def test_another_file_is_read_instead_of_it(write):
    write(".env", "A=1\nB=1\n")

    assert read_environ(write("other", "A=2\n")) == {"A": "2"}


def test_folders_above_are_not_searched(write, tmp_path, monkeypatch):
    write(".env", "A=1\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    assert read_environ() == {}


def test_the_process_wins_over_the_file(write):
    write(".env", "A=file\nB=file\nC=file\n")
    os.environ |= {"A": "process", "B": ""}

    assert read_environ() == {"A": "process", "B": "", "C": "file"}


def test_reading_a_file_leaves_the_process_as_it_is(write):
    write(".env", "A=1\n")
    read_environ()

    assert "A" not in os.environ


def test_what_a_file_may_look_like(write):
    text = (
        "\ufeff# a comment\r\n"
        "export A=1\r\n"
        "B = 'two words' # and a remark\r\n"
        'C="line\\nfeed"\r\n'
        "D=\r\n"
        "E\r\n"
        "F=$A ${HOME} `id` $(id)\r\n"
        "A=2\r\n"
        "G=grün"
    )

    assert read_environ(write("f", text)) == {
        "A": "2",
        "B": "two words",
        "C": "line\nfeed",
        "D": "",
        "F": "$A ${HOME} `id` $(id)",
        "G": "grün",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [(f"A=1\n\n'{CANARY}\n", 3), (f"A=1\nKEY='{CANARY}\n", 2), (f"KEY={CANARY}\n= {CANARY}", 2)],
)
def test_a_malformed_file_names_the_line_but_does_not_show_it(write, text, line):
    path = write(".env", text)

    with pytest.raises(ConfigError, match=rf"^\.env, line {line}: write NAME=value$"):
        read_environ()
    with pytest.raises(ConfigError, match=rf"^{path}, line {line}: write NAME=value$"):
        read_environ(path)


def test_a_file_that_was_asked_for_must_be_there(tmp_path):
    with pytest.raises(
        ConfigError, match=r"none cannot be read: No such file or directory; .* with --env-file"
    ):
        read_environ(tmp_path / "none")
    with pytest.raises(
        ConfigError, match=r"none cannot be read: No such file or directory; .* with --config"
    ):
        read_toml(tmp_path / "none")


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / ".env").mkdir()

    with pytest.raises(ConfigError, match=r"^\.env cannot be read: Is a directory; give another"):
        read_environ()
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory; .* with --config"):
        read_toml(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_that_may_not_be_read(write):
    write(".env", f"A={CANARY}").chmod(0)

    with pytest.raises(ConfigError, match=r"^\.env cannot be read: Permission denied"):
        read_environ()


@pytest.mark.parametrize("content", [b"A=gr\xfcn", f"A={CANARY}".encode("utf-16")])
def test_a_file_that_is_not_utf8(write, content):
    path = write(".env", content)

    for read in (read_environ, lambda: read_toml(path)):
        with pytest.raises(ConfigError, match=r"\.env is not UTF-8 text: save it as UTF-8") as got:
            read()
        assert got.value.__cause__ is None


# --- who else may read or write it

KEYS = f"AZURE_OPENAI_API_KEY_1={CANARY}\n"


def told(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_ones_own_is_taken_without_a_word(write, caplog, mode):
    write(".env", KEYS).chmod(mode)

    assert read_environ()["AZURE_OPENAI_API_KEY_1"] == CANARY
    assert told(caplog) == []


def test_keys_that_others_can_read_are_taken_with_one_warning(write, caplog):
    """An ordinary umask makes such files."""
    write(".env", KEYS).chmod(0o604)

    for _ in range(3):
        assert read_environ()["AZURE_OPENAI_API_KEY_1"] == CANARY
    assert told(caplog) == ["batchrunner: others can read the keys in .env: chmod 600 .env"]


def test_a_file_without_keys_may_be_read_by_all(write, caplog):
    write(".env", "BATCHRUNNER_MODEL=m\nOPENAI_API_KEY=\n").chmod(0o644)
    read_environ()

    assert told(caplog) == []


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o622])
@pytest.mark.parametrize("name", [".env", "b.toml"])
def test_a_file_that_others_may_write_is_refused_with_the_remedy(write, name, mode):
    path = write(name, KEYS if name == ".env" else 'model = "m"')
    path.chmod(mode)
    read = {".env": read_environ, "b.toml": lambda: read_toml(path)}[name]

    remedy = r"others may write it.*chmod 600 .*--trust-env-file"
    with pytest.raises(ConfigError, match=remedy) as caught:
        read()
    assert name in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(write):
    os.chown(write(".env", KEYS), 12345, 12345)

    with pytest.raises(ConfigError, match="belongs to somebody else"):
        read_environ()


@pytest.mark.parametrize("how", ["option", "variable"])
def test_who_knows_better_can_say_so_but_not_in_the_file_itself(write, how):
    write(".env", KEYS + "BATCHRUNNER_TRUST_ENV_FILE=true\n").chmod(0o666)
    with pytest.raises(ConfigError, match="others may write it"):
        load_settings()

    if how == "variable":
        os.environ["BATCHRUNNER_TRUST_ENV_FILE"] = "1"
    os.environ["AZURE_OPENAI_ENDPOINT_1"] = "https://a.openai.azure.com"
    (target,) = load_settings({"trust_env_file": True} if how == "option" else {}).targets
    assert target.key.get_secret_value() == CANARY


def status(mode, owner=1000, group=77):
    return os.stat_result((stat.S_IFREG | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "owner", "allowed"),
    [
        (0o600, 1000, Access.NONE),
        (0o640, 1000, Access.READ),
        (0o604, 1000, Access.READ),
        (0o660, 1000, Access.WRITE),
        (0o602, 1000, Access.WRITE),
        (0o600, 1001, Access.WRITE),
        (0o600, 0, Access.NONE),
        (0o644, 0, Access.READ),
    ],
)
def test_what_others_may_do_is_read_off_owner_and_mode(mode, owner, allowed):
    assert access(status(mode, owner), user=1000) is allowed


def test_the_group_that_only_has_its_user_is_nobody_else():
    """Many systems make one for everyone, and a umask of 002 with it."""
    own = next((p for p in pwd.getpwall() if is_alone(p)), None)
    if own is None:
        pytest.skip("nobody has a group of his own here")

    assert access(status(0o660, own.pw_uid, own.pw_gid), own.pw_uid) is Access.NONE
    assert access(status(0o664, own.pw_uid, own.pw_gid), own.pw_uid) is Access.READ
    assert access(status(0o660, own.pw_uid, own.pw_gid + 54321), own.pw_uid) is Access.WRITE


def is_alone(account):
    try:
        group = grp.getgrgid(account.pw_gid)
    except KeyError:
        return False
    return group.gr_name == account.pw_name and not group.gr_mem


def test_a_file_of_settings(write):
    path = write("b.toml", '\ufefflimit = 5\n[[regions]]\nendpoint = "https://a"\nkey = "K"\n')

    assert read_toml(path) == {
        "limit": 5,
        "regions": [{"endpoint": "https://a", "key": "K"}],
    }


@pytest.mark.parametrize("text", [f"key = {CANARY}", "limit = 1\nlimit = 2", "[[regions]"])
def test_a_file_that_is_no_toml(write, text):
    with pytest.raises(ConfigError, match=r"b\.toml is no TOML: .*\(at (line|end of)") as caught:
        read_toml(write("b.toml", text))
    assert CANARY not in str(caught.value)


def test_everything_together_and_who_wins(write):
    env = write(
        "e",
        f"""
        AZURE_OPENAI_API_KEY_1={CANARY}
        AZURE_OPENAI_ENDPOINT_1=https://eastus.openai.azure.com/
        AZURE_OPENAI_REGION_1=from-file
        BATCHRUNNER_LIMIT=3
        BATCHRUNNER_MODEL=file
        BATCHRUNNER_SYSTEM=file
        """,
    )
    toml = write("b.toml", 'limit = 4\nmodel = "toml"\nsystem = "toml"\nmax_tokens = 4\n')
    os.environ |= {"BATCHRUNNER_LIMIT": "2", "BATCHRUNNER_MODEL": "process"}

    found = load_settings({"limit": 1, "model": None}, env, toml)

    given = (found.limit, found.model, found.system, found.max_tokens, found.concurrency)
    assert given == (1, "process", "file", 4, 256)
    assert [target.name for target in found.targets] == ["from-file"]


@pytest.mark.parametrize("name", [".env", "b.toml"])
def test_code_is_run_for_a_schema_only_where_nobody_else_could_have_named_it(
    write, name, monkeypatch
):
    monkeypatch.delitem(sys.modules, "shapes_here", raising=False)
    write("shapes_here.py", "open('ran', 'w').close()\nclass City: pass\n")
    reference = "shapes_here:City"
    text = (
        f"BATCHRUNNER_SCHEMA_FILE={reference}" if name == ".env" else f'schema_file="{reference}"'
    )
    path = write(name, text + "\n")
    path.chmod(0o666)
    config = None if name == ".env" else path

    with pytest.raises(ConfigError, match="others may write it"):
        filled(load_settings(toml_file=config))
    assert not Path("ran").exists()

    path.chmod(0o600)
    with pytest.raises(ConfigError, match="is no pydantic model"):
        filled(load_settings(toml_file=config))
    assert Path("ran").exists()
