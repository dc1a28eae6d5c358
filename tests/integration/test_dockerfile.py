"""The Dockerfile, instruction by instruction in a clean folder, since no engine is at hand.

What stands in for one: `/opt/onsale`, `/var/lib/onsale` and `/src` lie under the test's folder,
the base image is this machine, and the image's user is that uid in a user namespace. The commands
are the Dockerfile's own.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import Settings
from tests.running import free_port

ROOT = Path(__file__).parents[2]
PLACES = ("/opt/onsale", "/var/lib/onsale", "/src")
INSTALL_TIMEOUT_S = 600
START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 30


def instructions() -> list[tuple[str, str]]:
    """(word, rest) of each instruction, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def of(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


class Image:
    """What the instructions build, below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workdir = folder
        self.env = {name: value for name, value in os.environ.items() if "ONSALE" not in name}
        self.env["PATH"] = f"{Path(sys.executable).parent}:{self.env['PATH']}"

    def here(self, text: str) -> str:
        for place in PLACES:
            text = re.sub(rf"(?<![\w.]){place}\b", f"{self.folder}{place}", text)
        return text

    def build(self) -> None:
        steps = {"WORKDIR": self._workdir, "COPY": self._copy, "RUN": self._run, "ENV": self._env}
        for word, rest in instructions():
            if word in steps:
                steps[word](rest)

    def _workdir(self, rest: str) -> None:
        self.workdir = Path(self.here(rest))
        self.workdir.mkdir(parents=True, exist_ok=True)

    def _copy(self, rest: str) -> None:
        words = shlex.split(rest)
        sources = [word for word in words if not word.startswith("--")]
        target = sources.pop()
        if any(word.startswith("--from") for word in words):
            if self.here(sources[0]) != self.here(target):
                shutil.copytree(self.here(sources[0]), self.here(target))
            return
        for source in sources:
            origin, copy = ROOT / source, self.workdir / target
            if origin.is_dir():
                shutil.copytree(origin, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(origin, copy)

    def _run(self, rest: str) -> None:
        """As root, or as what looks like root: an account goes into a file of the test's."""
        if "useradd" in rest:
            accounts = self.folder / "etc"
            accounts.mkdir(exist_ok=True)
            (accounts / "passwd").touch()
            rest = rest.replace("useradd", f"useradd --prefix {self.folder}")
        command = ["unshare", "--user", "--map-root-user", "sh", "-ec", self.here(rest)]
        env = self.env | {"PATH": self.env["PATH"] + ":/usr/sbin"}
        subprocess.run(command, cwd=self.workdir, env=env, check=True, timeout=INSTALL_TIMEOUT_S)

    def _env(self, rest: str) -> None:
        for word in shlex.split(rest):
            name, value = self.here(word).split("=", 1)
            self.env[name] = value.replace("$PATH", self.env["PATH"])

    def uid(self) -> int:
        (user,) = of("USER")
        accounts = (self.folder / "etc" / "passwd").read_text().splitlines()
        return next(int(line.split(":")[2]) for line in accounts if line.startswith(user + ":"))

    def as_user(self, command: list[str]) -> list[str]:
        uid = self.uid()
        return ["unshare", "--user", f"--map-user={uid}", f"--map-group={uid}", *command]


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Image:
    built = Image(tmp_path_factory.mktemp("image"))
    built.build()
    return built


@pytest.mark.timeout(INSTALL_TIMEOUT_S)
def test_the_image_serves_as_its_own_user_and_says_that_it_is_healthy(image):
    port = free_port()
    env = image.env | {"ONSALE_HOST": "127.0.0.1", "ONSALE_PORT": str(port)}
    env["PATH"] = image.here("/opt/onsale/bin") + ":/usr/bin:/bin"  # nothing of ours but this
    (command,) = of("CMD")
    (check,) = (rest.partition(" CMD ")[2] for rest in of("HEALTHCHECK"))
    log = image.folder / "output"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            image.as_user(json.loads(command)),
            cwd=image.workdir,
            env=env,
            stdout=subprocess.PIPE,
            stderr=output,
        ) as server,
    ):
        try:
            wait_for_the_link(server, log)
            for probe in (json.loads(check), page_probe(port)):
                subprocess.run(image.as_user(probe), env=env, check=True, timeout=START_TIMEOUT_S)
        finally:
            server.terminate()
        assert server.wait(STOP_TIMEOUT_S) == 0


def wait_for_the_link(server: subprocess.Popen[bytes], log: Path) -> None:
    """The server prints its addresses when it answers."""
    for line in server.stdout:
        if line.startswith(b"Console"):
            return
    raise AssertionError(log.read_text())


def page_probe(port: int) -> list[str]:
    """A page with its style and its script: templates and static files are in the package."""
    script = f"""
import re, urllib.request
page = urllib.request.urlopen("http://127.0.0.1:{port}/").read().decode()
linked = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
assert linked, page
for path in linked:
    assert urllib.request.urlopen("http://127.0.0.1:{port}" + path).read(), path
"""
    return ["python", "-c", script]


def test_both_stages_stand_on_debian_slim_and_the_last_one_is_not_root():
    bases = of("FROM")
    assert len(bases) == 2
    assert all("-slim-" in base for base in bases)
    last_stage = instructions()[max(i for i, (w, _) in enumerate(instructions()) if w == "FROM") :]
    words = [word for word, _ in last_stage]
    assert words.index("USER") < words.index("CMD")
    assert of("USER") not in (["root"], ["0"])


def test_every_package_of_the_product_goes_into_the_image():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"static"}
    copied = {rest.split()[0] for rest in of("COPY") if not rest.startswith("--")}
    assert packages - {"tests", "bench"} <= copied


def test_the_compose_file_sets_only_settings_that_there_are():
    text = (ROOT / "config" / "compose.yaml").read_text()
    used = set(re.findall(r"^ +(ONSALE_\w+):", text, re.MULTILINE))
    assert used
    assert used <= {f"ONSALE_{name.upper()}" for name in Settings.model_fields}


def test_nginx_passes_requests_to_the_nodes_of_the_compose_file():
    config = ROOT / "config"
    nodes = re.findall(r"ipv4_address: (\S+) ", (config / "compose.yaml").read_text())
    passed_to = re.findall(r"server (\S+):8000 ", (config / "nginx.conf").read_text())
    assert len(nodes) == 2
    assert nodes == passed_to
