#!/usr/bin/env python3
"""Writes sbom.spdx.json (SPDX 2.3) and LICENSES/ of a tree that dist.sh makes: what is in it, in which version, under which terms.

    sbom.py TREE --libraries FILE --torch FOLDER --version VERSION --commit COMMIT

FILE lists the libraries that were copied, as the loader found them. Debian's packages are asked of dpkg, and their copyright files are
copied; what is compiled in comes from headers of the packages of HEADER_ONLY.
"""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess

HEADER_ONLY = ["nlohmann-json3-dev", "libcli11-dev", "libvalijson-dev"]
DATA = ["tesseract-ocr-eng"]
NVIDIA = re.compile(r"lib(cu|nccl|nv|cudnn)")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def owner(path):
    """The Debian package that a file belongs to, or None. /lib and /usr/lib are one folder, of which dpkg may know either."""
    real = os.path.realpath(path)
    for name in {real, real.removeprefix("/usr"), path, "/usr" + path}:
        found = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    return None


def of_debian(package):
    shown = subprocess.run(["dpkg-query", "-W", "-f=${Package}\\t${Version}\\t${source:Package}\\n", package], capture_output=True, text=True, check=True)
    name, version, source = shown.stdout.splitlines()[0].split("\t")
    return {"name": name, "versionInfo": version, "sourceInfo": f"Debian source package {source}", "supplier": "Organization: Debian",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": f"pkg:deb/debian/{name}@{version}"}],
            "licenseComments": f"LICENSES/{name}.txt"}


def spdx(package, number):
    return {"SPDXID": f"SPDXRef-{number}", "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION", **package}


def copy_license(package, folder):
    """The copyright file, which every Debian package must have."""
    text = pathlib.Path(f"/usr/share/doc/{package}/copyright").read_text(errors="replace")
    (folder / f"{package}.txt").write_text(text)


def torch_version(torch):
    """LibTorch's version, from its headers."""
    homes = [torch.parent, torch.parents[2] / "torch"]  # a CUDA build takes the headers of a CPU build
    text = next(h / "include/torch/headeronly/version.h" for h in homes if (h / "include").is_dir()).read_text()
    return ".".join(re.search(rf"#define TORCH_VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR", "PATCH"))


def packages(libraries, torch, version):
    """Everything in the tree but our own files."""
    debian, others = set(HEADER_ONLY + DATA), []
    for path in {pathlib.Path(path).name: path for path in libraries}.values():
        if not path.startswith(("/lib/", "/usr/lib/")):
            if NVIDIA.match(pathlib.Path(path).name):
                others.append({"name": pathlib.Path(path).name, "supplier": "Organization: NVIDIA", "licenseDeclared": "LicenseRef-NVIDIA-EULA",
                               "checksums": [{"algorithm": "SHA256", "checksumValue": sha256(path)}]})
            continue
        package = owner(path)
        if package is None:
            raise SystemExit(f"sbom: no Debian package has {path}")
        debian.add(package)
    try:
        others.append({"name": "libtorch", "versionInfo": torch_version(torch), "supplier": "Organization: PyTorch", "licenseDeclared": "BSD-3-Clause",
                       "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                         "referenceLocator": f"pkg:pypi/torch@{torch_version(torch)}"}]})
    except (OSError, AttributeError, StopIteration):
        raise SystemExit(f"sbom: no version of LibTorch in {torch.parent}/include")
    return sorted(debian), others


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("--libraries", type=pathlib.Path, required=True)
    parser.add_argument("--torch", type=pathlib.Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--commit", required=True)
    arguments = parser.parse_args()
    licenses = arguments.tree / "LICENSES"
    licenses.mkdir(exist_ok=True)
    debian, others = packages(arguments.libraries.read_text().split(), arguments.torch, arguments.version)
    for package in debian:
        copy_license(package, licenses)
    (licenses / "lvrpo.txt").write_text((arguments.tree / "LICENSE").read_text())
    own = {"SPDXID": "SPDXRef-lvrpo", "name": "lvrpo", "versionInfo": f"{arguments.version}+{arguments.commit}", "downloadLocation": "NOASSERTION",
           "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "licenseComments": "LICENSES/lvrpo.txt",
           "copyrightText": "NOASSERTION"}
    parts = [spdx(p, n) for n, p in enumerate([of_debian(p) for p in debian] + others)]
    made = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    document = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"lvrpo-{arguments.version}-{arguments.commit}",
        "documentNamespace": f"https://spdx.org/spdxdocs/lvrpo-{arguments.version}-{arguments.commit}",
        "creationInfo": {"created": made.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: tools/dist/sbom.py"]},
        "packages": [own, *parts],
        "hasExtractedLicensingInfos": [{"licenseId": "LicenseRef-NVIDIA-EULA", "name": "NVIDIA Software License Agreement",
                                        "extractedText": "https://docs.nvidia.com/cuda/eula/index.html"}],
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-lvrpo"},
                          *({"spdxElementId": "SPDXRef-lvrpo", "relationshipType": "CONTAINS", "relatedSpdxElement": p["SPDXID"]} for p in parts)]}
    (arguments.tree / "sbom.spdx.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
