"""Which base images a cache keeps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from kiln_lab.bases import KEPT, clear, use

# Uses a base until its input ends.
USER = """
import pathlib, sys
from kiln_lab.bases import use
use(pathlib.Path(sys.argv[1]), sys.argv[2], None)
print("used", flush=True)
sys.stdin.read()
"""


class Bases(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kiln-lab-bases-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.said: list[str] = []

    def base(self, number: int, suite: str = "bookworm") -> str:
        """One that was used at a time, by nobody who lives."""
        name = f"debian-{suite}-{number:012x}"
        (self.folder / name / "etc").mkdir(parents=True)
        lock = self.folder / f"{name}.lock"
        lock.touch()
        os.utime(lock, (number, number))
        return name

    def clear(self) -> list[str]:
        clear(self.folder, "bookworm", self.said.append)
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir())

    def test_those_that_were_used_last_stay_and_others_go_whole(self) -> None:
        names = [self.base(number) for number in range(1, 3 + KEPT)]
        (self.folder / f"{names[0]}.sh").touch()
        (self.folder / f"{names[1]}.part").mkdir()
        self.assertEqual(self.clear(), names[2:])
        self.assertEqual(len(self.said), 2)
        self.assertEqual(len(list(self.folder.iterdir())), 2 * KEPT, "locks and scripts go too")
        self.assertEqual(self.clear(), names[2:])

    def test_other_suites_and_other_files_are_left_alone(self) -> None:
        other = self.base(1, "trixie")
        names = [self.base(number) for number in range(1, 2 + KEPT)]
        (self.folder / "notes").mkdir()
        self.assertEqual(self.clear(), [*names[1:], other, "notes"])

    def user(self, name: str) -> subprocess.Popen[bytes]:
        """A process that uses a base."""
        user = subprocess.Popen(
            [sys.executable, "-c", USER, str(self.folder), name],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert user.stdin is not None and user.stdout is not None
        self.addCleanup(user.wait)
        self.addCleanup(user.stdin.close)
        self.addCleanup(user.stdout.close)
        self.assertEqual(user.stdout.readline(), b"used\n")
        return user

    def test_one_that_is_not_there_is_made_once(self) -> None:
        made: list[Path] = []

        def make(root: Path) -> None:
            made.append(root)
            root.mkdir()

        for _ in range(2):
            use(self.folder, "debian-bookworm-000000000001", make)
        self.assertEqual(made, [self.folder / "debian-bookworm-000000000001"])

    def test_one_that_a_living_process_uses_stays_until_it_ends(self) -> None:
        names = [self.base(number) for number in range(1, 2 + KEPT)]
        # Several may use one at the same time.
        users = [self.user(names[0]), self.user(names[0])]
        os.utime(self.folder / f"{names[0]}.lock", (0, 0))
        for user in users:
            self.assertEqual(self.clear(), names)
            assert user.stdin is not None
            user.stdin.close()
            user.wait()
        self.assertEqual(self.clear(), names[1:])

    def test_one_that_was_used_again_is_not_the_one_that_goes(self) -> None:
        names = [self.base(number) for number in range(1, 2 + KEPT)]
        user = self.user(names[0])
        assert user.stdin is not None
        user.stdin.close()
        user.wait()
        self.assertEqual(self.clear(), [names[0], *names[2:]])


if __name__ == "__main__":
    unittest.main()
