"""Certificates of one's own."""

import pytest
import trustme

from batchrunner.environment import load_settings
from batchrunner.errors import ConfigError
from batchrunner.tls import make_context


def test_certificates_of_a_file_are_trusted_besides_those_of_the_system(tmp_path):
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    usual, more = make_context(), make_context(str(path))

    assert len(more.get_ca_certs()) == len(usual.get_ca_certs()) + 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"ca\.pem cannot be read: No such file or directory; .* with --ca-file"),
        ("", r"ca\.pem holds no certificates: --ca-file takes a file in PEM format"),
        ("garbage", r"ca\.pem holds no certificates: --ca-file takes a file in PEM format"),
    ],
)
def test_a_file_without_certificates_is_refused_before_anything_is_sent(
    tmp_path, content, message
):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigError, match=message):
        load_settings({"ca_file": str(path)}, env_file=None)
