from batchrunner.inputs.jsonl import parse
from batchrunner.model import Job
from benchmarks.workload import ANSWER, LINE, count_answers, write_jobs


def test_every_line_is_a_job_of_about_a_kilobyte(tmp_path):
    write_jobs(tmp_path / "jobs.jsonl", 2000)
    lines = (tmp_path / "jobs.jsonl").read_bytes().splitlines()
    jobs = [parse(line, n) for n, line in enumerate(lines)]
    assert all(isinstance(job, Job) for job in jobs)
    assert len({job.id for job in jobs}) == 2000
    assert all(abs(len(line) - LINE) < LINE / 20 for line in lines)


def test_the_same_seed_makes_the_same_jobs(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_jobs(tmp_path / name, 10, seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_the_answer_is_860_bytes_and_counts_only_where_it_is_whole(tmp_path):
    assert len(ANSWER) == 860
    (tmp_path / "out").write_text(f"{ANSWER}\n{ANSWER[:400]}\n{{}}\n{ANSWER}\n")
    assert count_answers(tmp_path / "out") == 2
