"""A copy of an upper directory is everything that was in it, and costs little the second time."""

from __future__ import annotations

import mmap
import os
import shutil
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from kiln_lab.layer_copy import copy

OLD = 1_000_000_000


class LayerCopy(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kiln-lab-copy-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.source = self.folder / "source"
        self.source.mkdir()

    def target(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir()
        return path

    def settled(self) -> None:
        """Waits until what was written so far is older than the grain of the file system's clock."""
        # A file is made anew until its time is beyond the grain: that is the event.
        probe = self.folder / "probe"
        begun = max(path.lstat().st_ctime_ns for path in [self.source, *self.source.rglob("*")])
        while True:
            probe.write_text("")
            if probe.stat().st_ctime_ns > begun + 30_000_000:
                return

    def test_everything_that_a_file_can_be_is_copied(self) -> None:
        source = self.source
        (source / "file").write_text("text")
        os.chown(source / "file", 1234, 4321)
        os.chmod(source / "file", 0o4751)
        os.utime(source / "file", ns=(OLD, OLD + 7))
        shutil.copy("/bin/true", source / "capable")
        capability = bytes.fromhex("0100000200200000000000000000000000000000")
        os.setxattr(source / "capable", "security.capability", capability)
        os.link(source / "file", source / "second-name")
        os.symlink("nowhere/at all", source / "link")
        os.mknod(source / "whiteout", stat.S_IFCHR, os.makedev(0, 0))
        os.mknod(source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mkfifo(source / "fifo", 0o600)
        (source / "opaque").mkdir(0o1777)
        os.setxattr(source / "opaque", "trusted.overlay.opaque", b"y")
        os.setxattr(source / "opaque", "trusted.overlay.origin", b"of this upper alone")
        with open(source / "sparse", "wb") as file:
            file.truncate(1 << 30)
            file.seek(1 << 29)
            file.write(b"in the middle")
        target = self.target("copy")
        copy(source, target, None, frozenset())

        for name in os.listdir(source):
            before, after = os.lstat(source / name), os.lstat(target / name)
            for what in ("st_mode", "st_uid", "st_gid", "st_mtime_ns", "st_rdev", "st_nlink"):
                if not (what == "st_nlink" and stat.S_ISDIR(before.st_mode)):
                    self.assertEqual(getattr(before, what), getattr(after, what), f"{what} of {name}")
        self.assertEqual(set(os.listdir(source)), set(os.listdir(target)))
        self.assertEqual(os.getxattr(target / "capable", "security.capability"), capability)
        self.assertEqual((target / "file").stat().st_ino, (target / "second-name").stat().st_ino)
        self.assertEqual(os.readlink(target / "link"), "nowhere/at all")
        self.assertEqual(os.listxattr(target / "opaque"), ["trusted.overlay.opaque"])
        sparse = (target / "sparse").stat()
        self.assertEqual(sparse.st_size, 1 << 30)
        self.assertLess(sparse.st_blocks * 512, 1 << 20)
        with open(target / "sparse", "rb") as file:
            file.seek(1 << 29)
            self.assertEqual(file.read(13), b"in the middle")

    def test_unchanged_files_are_shared_with_the_earlier_copy_and_changed_ones_are_not(self) -> None:
        for name in ("kept", "written", "touched", "removed", "owned"):
            (self.source / name).write_text("old")
        self.settled()
        first = copy(self.source, self.target("first"), None, frozenset())
        # Of the same length and with the same time of change, as an unpacked archive may have it.
        times = (self.source / "written").stat()
        (self.source / "written").write_text("new")
        os.utime(self.source / "written", ns=(times.st_atime_ns, times.st_mtime_ns))
        os.chown(self.source / "owned", 1, 1)
        (self.source / "removed").unlink()
        (self.source / "added").mkdir()
        second = copy(self.source, self.target("second"), first, frozenset())

        same = {name: self.inode("first", name) == self.inode("second", name) for name in ("kept", "written", "owned")}
        self.assertEqual(same, {"kept": True, "written": False, "owned": False})
        self.assertEqual((second.target / "written").read_text(), "new")
        self.assertEqual((first.target / "written").read_text(), "old")
        self.assertEqual((first.target / "owned").stat().st_uid, 0)
        self.assertEqual(sorted(os.listdir(second.target)), ["added", "kept", "owned", "touched", "written"])

    def test_second_pass_makes_the_same_target_equal(self) -> None:
        (self.source / "folder").mkdir()
        (self.source / "folder/inside").write_text("1")
        (self.source / "becomes-folder").write_text("1")
        (self.source / "pair").write_text("1")
        os.link(self.source / "pair", self.source / "pair2")
        target = self.target("copy")
        bulk = copy(self.source, target, None, frozenset())
        shutil.rmtree(self.source / "folder")
        (self.source / "folder").write_text("now a file")
        (self.source / "becomes-folder").unlink()
        (self.source / "becomes-folder").mkdir()
        (self.source / "pair").write_text("2")
        copy(self.source, target, bulk, frozenset())
        self.assertEqual((target / "folder").read_text(), "now a file")
        self.assertTrue((target / "becomes-folder").is_dir())
        self.assertEqual((target / "pair2").read_text(), "2")
        self.assertEqual((target / "pair").stat().st_ino, (target / "pair2").stat().st_ino)

    def test_file_that_changed_just_before_the_copy_is_copied_again(self) -> None:
        (self.source / "fresh").write_text("old")
        first = copy(self.source, self.target("first"), None, frozenset())
        copy(self.source, self.target("second"), first, frozenset())
        self.assertNotEqual(self.inode("first", "fresh"), self.inode("second", "fresh"))

    def test_file_that_is_mapped_for_writing_is_copied_again(self) -> None:
        (self.source / "mapped").write_bytes(b"a" * 4096)
        with open(self.source / "mapped", "r+b") as file, mmap.mmap(file.fileno(), 4096) as view:
            view[0:1] = b"b"
            self.settled()
            first = copy(self.source, self.target("first"), None, {"mapped"})
            # The page is dirty already: this write moves no time.
            before = (self.source / "mapped").stat()
            view[0:1] = b"c"
            self.assertEqual(before.st_ctime_ns, (self.source / "mapped").stat().st_ctime_ns)
            copy(self.source, self.target("second"), first, frozenset())
        self.assertEqual((self.folder / "second/mapped").read_bytes()[:1], b"c")

    def test_earlier_layer_that_is_gone_is_no_harm(self) -> None:
        (self.source / "file").write_text("text")
        self.settled()
        first = copy(self.source, self.target("first"), None, frozenset())
        shutil.rmtree(first.target)
        copy(self.source, self.target("second"), first, frozenset())
        self.assertEqual((self.folder / "second/file").read_text(), "text")

    def inode(self, copy: str, name: str) -> int:
        return (self.folder / copy / name).stat().st_ino


if __name__ == "__main__":
    unittest.main()
