"""`make package`: writes what a deployment uploads as one zip, the same bytes from the same files.

It holds what `.funcignore` leaves, which is what `azd deploy` packs, and the compiled modules beside their sources: on
Flex Consumption the package is mounted read-only, so that without them every cold start compiles the program anew.
"""

import os
import py_compile
import zipfile
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from pathspec import GitIgnoreSpec

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / ".package" / "finagent.zip"
_WHEN = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16
_UNIX = 3


def kept_at_home() -> GitIgnoreSpec:
    """Give what `.funcignore` matches, as git and the Azure Developer CLI read it."""
    return GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text().splitlines())


def shipped() -> list[str]:
    """Give the files of this working copy that a deployment uploads, relative to its root."""
    return sorted(_shipped(ROOT, kept_at_home()))


def _shipped(root: Path, ignored: GitIgnoreSpec) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        inside = PurePosixPath(Path(folder).relative_to(root).as_posix())
        folders[:] = [name for name in folders if not ignored.match_file(f"{inside / name}/")]
        yield from (str(inside / name) for name in files if not ignored.match_file(inside / name))


def compiled(source: str, folder: Path) -> str:
    """Compile a module into a folder, and give its name there.

    The source is not looked at again when the module is imported: unpacking gives it another date.
    """
    name = cache_from_source(source)
    py_compile.compile(
        str(ROOT / source),
        cfile=str(folder / name),
        dfile=source,
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return name


def write(package: Path) -> int:
    """Write the package, and give the number of files in it."""
    package.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        files = {name: ROOT / name for name in shipped()}
        for source in [name for name in files if name.endswith(".py")]:
            name = compiled(source, Path(folder))
            files[name] = Path(folder) / name
        with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, path in sorted(files.items()):
                entry = zipfile.ZipInfo(name, _WHEN)
                entry.create_system, entry.external_attr = _UNIX, _READABLE
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return len(files)


def main() -> None:
    """Write the package, and say how large it is."""
    count = write(PACKAGE)
    print(f"{PACKAGE.relative_to(ROOT)}: {count} files, {PACKAGE.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
