#!/usr/bin/env python3
"""What tools/dist writes: the SPDX list of a small tree of this machine's libraries, and a manual page."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/dist"))
import manuals  # noqa: E402

HELP = """A program. It does things.
Usage: ./lvrpo [OPTIONS] SUBCOMMAND

Options:
  -h,--help                   Print this help message and exit

Subcommands:
  run                         train
  print-config                print every setting

Exit codes: 0 done.
"""


class Sbom(unittest.TestCase):
    def test_names_packages_versions_and_licences(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "LICENSE").write_text("ours\n")
            torch = folder / "torch/lib"
            version = folder / "torch/include/torch/headeronly/version.h"
            version.parent.mkdir(parents=True)
            torch.mkdir()
            version.write_text("#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 11\n#define TORCH_VERSION_PATCH 0\n")
            (torch / "libcudart.so.13").write_text("cuda")
            (folder / "libraries").write_text(f"/lib/x86_64-linux-gnu/libz.so.1\n{torch}/libcudart.so.13\n{torch}/libc10.so\n")
            subprocess.run([sys.executable, ROOT / "tools/dist/sbom.py", folder, "--libraries", folder / "libraries", "--torch", torch, "--version",
                            "1.2", "--commit", "abc"], check=True)
            document = json.loads((folder / "sbom.spdx.json").read_text())
            packages = {p["name"]: p for p in document["packages"]}
            self.assertEqual(packages["lvrpo"]["versionInfo"], "1.2+abc")
            self.assertEqual(packages["libtorch"]["versionInfo"], "2.11.0")
            self.assertEqual(packages["libcudart.so.13"]["licenseDeclared"], "LicenseRef-NVIDIA-EULA")
            self.assertIn("Debian", packages["zlib1g"]["supplier"])
            self.assertIn("Copyright", (folder / "LICENSES/zlib1g.txt").read_text())
            for p in document["packages"]:
                if p.get("licenseComments"):
                    self.assertTrue((folder / p["licenseComments"]).exists(), p["name"])
            ids = [p["SPDXID"] for p in document["packages"]]
            self.assertEqual(len(set(ids)), len(ids))
            self.assertLessEqual({r["relatedSpdxElement"] for r in document["relationships"]}, set(ids))


class Manuals(unittest.TestCase):
    def test_commands(self):
        self.assertEqual(manuals.commands(HELP), ["run", "print-config"])
        self.assertEqual(manuals.commands("no commands"), [])

    def test_a_page_has_its_parts_and_keeps_the_text(self):
        page = manuals.page("lvrpo", HELP + ".hidden\n", "1.2")
        self.assertTrue(page.startswith('.TH "LVRPO" 1 "" "LVRPO 1.2" ""\n.SH NAME\nlvrpo \\- A program\n'))
        self.assertIn("print\\-config", page)
        self.assertIn("\n\\&.hidden", page)  # not a request of roff
        self.assertNotIn("./lvrpo", page)


if __name__ == "__main__":
    unittest.main()
