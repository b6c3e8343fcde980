"""Fetches Apache Kafka's published jars with Maven, once, into var/kafka/libs."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.processes import CHECKOUT, Unavailable, exclusive

POM = Path(__file__).with_name("pom.xml")
CACHE = CHECKOUT / "var/kafka"
FETCH_SECONDS = 900
ATTEMPTS = 2
OLDEST_JAVA = 17


def require_java() -> None:
    """Raise Unavailable when there is no Java that Kafka runs on."""
    java = shutil.which("java")
    if java is None:
        raise Unavailable("Java is not installed")
    done = subprocess.run([java, "-version"], capture_output=True, text=True)
    version = re.search(r'version "(\d+)', done.stderr)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise Unavailable(f"Java {OLDEST_JAVA} is needed, found {version[1] if version else 'none that starts'}")


def kafka_libraries(say: Callable[[str], None] = print) -> Path:
    """The directory with Kafka's jars, fetched first when it is not there yet. Raises Unavailable with the reason."""
    require_java()
    libraries, fetched = CACHE / "libs", CACHE / "libs/pom.xml"
    with exclusive(CACHE / "lock"):
        if not fetched.exists() or fetched.read_bytes() != POM.read_bytes():
            _fetch(libraries, say)
    return libraries


def _fetch(libraries: Path, say: Callable[[str], None]) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable("Maven is not installed")
    say("Fetching Apache Kafka with Maven (about 45 MB, only the first time) ...")
    repository = CACHE / "maven"  # not ~/.m2, which some accounts do not have; an interrupted download is continued
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=CACHE) as directory:
        # -U: an artifact that was missing a moment ago is asked for again; -C: a wrong checksum is an error
        options = ["-q", "-B", "-U", "-C", "-f", str(POM), f"-Dmaven.repo.local={repository}"]
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={directory}/libs"]
        _run([maven, *options, *goal])
        shutil.rmtree(libraries, ignore_errors=True)
        Path(directory, "libs").rename(libraries)
        shutil.copy(POM, libraries)  # last: its presence says that the rest is complete
    shutil.rmtree(repository, ignore_errors=True)


def _run(command: list[str]) -> None:
    """Run Maven, a second time when the first fails: one broken connection is not the end."""
    for attempt in range(ATTEMPTS):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
        except subprocess.TimeoutExpired as late:
            raise Unavailable(f"Maven did not fetch Kafka within {FETCH_SECONDS} s") from late
        if done.returncode == 0:
            return
        if attempt == ATTEMPTS - 1:
            errors = [line for line in done.stdout.splitlines() if "ERROR" in line]
            raise Unavailable(f"Maven could not fetch Kafka: {' '.join(errors[:1])[:600]}")
