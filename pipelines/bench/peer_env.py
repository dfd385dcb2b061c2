"""Environments of peers that cannot share ours, made on first use under `.bench/`."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

FOLDER = Path(".bench")
TIMEOUT_S = 900


def peer_python(name: str, *requirements: str, folder: Path = FOLDER, shares_ours: bool = False) -> Path | None:
    """Return the interpreter of a peer's own environment, which is made if it is not there yet.

    Args:
        name: Of the folder under `.bench/`.
        requirements: What pip is to install, pinned.
        folder: Holds the environments.
        shares_ours: Install the requirements alone, and take what they need from our environment: other versions of
            one library beside torch, which is large.

    Returns:
        An absolute path, or None where the environment cannot be made, as without a package index.
    """
    home = (folder / name).absolute()
    done = home / ".installed"
    python = home / "bin" / "python"
    if done.exists() and done.read_text() == "\n".join(requirements):
        return python
    home.parent.mkdir(parents=True, exist_ok=True)
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    make, install = [sys.executable, "-m", "venv"], [str(python), "-m", "pip", "install"]
    if uv is not None:
        make, install = [uv, "venv", "--python", sys.executable], [uv, "pip", "install", "--python", str(python)]
    if shares_ours:
        install.append("--no-deps")
    try:
        for command in ([*make, "--clear", str(home)], [*install, "--quiet", *requirements]):
            subprocess.run(command, check=True, timeout=TIMEOUT_S)  # noqa: S603 - our own arguments
    except (subprocess.SubprocessError, OSError) as error:
        sys.stderr.write(f"{name} cannot be installed, so it is not measured: {error}\n")
        return None
    if shares_ours:
        (own,) = home.glob("lib/python*/site-packages")
        (own / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")  # behind its own
    done.write_text("\n".join(requirements))
    return python
