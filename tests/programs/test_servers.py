"""git, redis-server and stress-ng do on mete's heap what they do natively."""

import re
import socket
import subprocess
import time

from conftest import ENVIRONMENT, shown

# Everything that git would otherwise take from the clock or the user.
GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "init.defaultBranch",
    "GIT_CONFIG_VALUE_0": "main",
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
}


def fill(folder, version):
    """Six hundred files; a third changes with each version."""
    for i in range(600):
        directory = folder / f"d{i % 20}"
        directory.mkdir(exist_ok=True)
        changed = version if i % 3 == 0 else 0
        lines = (f"line {j} of {i}: {j * i % 997 + changed}\n" for j in range(i % 300 + 5))
        (directory / f"f{i}.txt").write_text("".join(lines), encoding="utf-8")


def test_git_commits_packs_and_logs_the_same(same_with_mete, tmp_path):
    folders = (tmp_path / "native", tmp_path / "mete")
    for folder in folders:
        folder.mkdir()

    def git(*words):
        native, _ = same_with_mete(["git", *words], env=GIT, cwd=folders)
        return native.stdout

    git("init", "-q")
    for version in range(4):
        for folder in folders:
            fill(folder, version)
        git("add", ".")
        git("commit", "-q", "-m", f"version {version}")
    git("gc", "-q", "--aggressive", "--prune=now")
    assert git("log", "--stat", "-p").count(b"\ncommit ") == 3
    git("diff", "--stat", "HEAD~3")
    git("blame", "d0/f300.txt")
    git("fsck", "--full", "--strict")
    # The packs have the same objects; how their threads divide the work decides over the bytes.
    git("cat-file", "--batch-check", "--batch-all-objects")
    git("grep", "-c", "99[0-7]")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    """A redis-server of our own in a folder, without a file to keep its data in."""

    def __init__(self, folder, preload):
        self.port = free_port()
        self.log = folder / "redis.log"
        env = {**ENVIRONMENT, **({"LD_PRELOAD": str(preload)} if preload else {})}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                 "--appendonly", "no", "--dir", str(folder)],
                env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("redis-server does not answer\n" + shown(self.log.read_bytes()))

    def ask(self, *words):
        done = subprocess.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
        )
        assert done.returncode == 0, f"{words}\n{shown(done.stdout + self.log.read_bytes())}"
        return done.stdout.decode()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def exercise(redis):
    """What is asked of the server; returns what it answered, without what is random or timing."""
    redis.wait_until_ready()
    bench = subprocess.run(
        ["redis-benchmark", "-h", "127.0.0.1", "-p", str(redis.port), "-q", "-n", "20000",
         "-c", "20", "-r", "5000", "-d", "200", "-t",
         "set,get,incr,lpush,rpush,lpop,sadd,hset,spop,zadd,lrange_100,mset"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False,
    )
    assert bench.returncode == 0, shown(bench.stdout + redis.log.read_bytes())
    names = re.findall(rb"([A-Z_ ]+[^\r\n:]*): \d+\.\d+ requests per second", bench.stdout)
    answers = [sorted(name.strip() for name in names)]
    answers.append(redis.ask("flushall"))
    script = (
        "for i = 1, 20000 do redis.call('set', 'k' .. i, string.rep('v', i % 700)) end "
        "for i = 1, 20000, 3 do redis.call('append', 'k' .. i, 'tail') end "
        "for i = 1, 20000, 2 do redis.call('del', 'k' .. i) end "
        "for i = 1, 3000 do redis.call('hset', 'h' .. i % 7, i, i * i) end "
        "return redis.call('dbsize')"
    )
    answers.append(redis.ask("eval", script, "0"))
    answers.append(redis.ask("strlen", "k19999") + redis.ask("get", "k4"))
    answers.append(redis.ask("hlen", "h3"))
    answers.append(redis.ask("memory", "purge"))
    answers.append(re.sub(r"\d+", "N", redis.ask("memory", "usage", "k4")))
    redis.ask("shutdown", "nosave")
    answers.append(redis.process.wait(30))
    return answers


def test_redis_server_serves_its_benchmark_and_ends_cleanly(preload, tmp_path):
    assert preload.is_file(), preload
    outcomes = []
    for name, used in (("native", None), ("mete", preload)):
        folder = tmp_path / name
        folder.mkdir()
        redis = Redis(folder, used)
        try:
            outcomes.append(exercise(redis))
            if used:
                log = redis.log.read_bytes()
                assert b"mete:" not in log and b"cannot be preloaded" not in log, shown(log)
        finally:
            redis.end()
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][-1] == 0
    assert len(outcomes[0][0]) >= 12


def test_stress_ng_verifies_its_blocks(run_native, run_preloaded, tmp_path):
    command = [
        "stress-ng", "--malloc", "2", "--malloc-ops", "2500", "--malloc-bytes", "8M",
        "--malloc-pthreads", "2", "--malloc-touch", "--verify", "--temp-path", str(tmp_path),
    ]
    # Its output is times and process ids; its status says whether every block was as it left it.
    for run in (run_native, run_preloaded):
        done = run(command, env={"HOME": str(tmp_path)}, timeout=150)
        assert done.status == 0, done
        assert b"successful run completed" in done.stdout + done.stderr, done
        assert b"fail" not in done.stdout + done.stderr, done
