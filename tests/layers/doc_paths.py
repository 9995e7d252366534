"""Every file or folder of the repository that the documentation names must exist."""
import re

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/*.md", "model/kernels/README.md")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
NAMED = re.compile(r"`([^`\s]+/[^`\s]*)`|\]\(([^)\s]+\.md)\)|(?<![\w`/.])(docs/\w+\.md)")
FILE = re.compile(r"\.(?:h|cc|py|sh|proto|yaml|md|json)$")
NOT_OURS = re.compile(r"[<>*{}$~=:@]|\.\.\.|^/|^(?:runs|build|\.deps|\.cache)/|[A-Z]{3,}/")  # placeholders, users' and ignored paths, URLs


def offences(root):
    for document in sorted(path for pattern in DOCUMENTS for path in root.glob(pattern)):
        text = FENCE.sub(lambda block: "\n" * block.group().count("\n"), document.read_text())
        for number, line in enumerate(text.splitlines(), 1):
            for match in NAMED.finditer(line):
                name = next(filter(None, match.groups())).rstrip(".,;")
                if NOT_OURS.search(name) or not (FILE.search(name) or (root / name.split("/")[0]).is_dir()):
                    continue
                if not (root / name).exists() and not (document.parent / name).exists():
                    yield f"{document.relative_to(root)}:{number}: there is no {name}"
