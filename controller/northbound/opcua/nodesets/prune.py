"""Makes the lean nodesets in this folder from the published ones: the wanted nodes and what they need, without documentation.

    python -m controller.northbound.opcua.nodesets.prune FOLDER

FOLDER holds the published files as the npm package node-opcua-nodesets (MIT) brings them. A node is kept when it is wanted, when a kept one
refers to it, or when it lies below a kept one.
"""

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NS: Final = "http://opcfoundation.org/UA/2011/03/UANodeSet.xsd"
_HEAD: Final = ("NamespaceUris", "Models", "Aliases")
_DROPPED: Final = ("Documentation", "Description", "Category", "Extensions", "InverseName")
WANTED: Final = {  # file here -> published file, nodes of its own namespace that are wanted
    "di.xml": ("Opc.Ua.Di.NodeSet2.xml", ("i=15001", "i=15035", "i=15048", "i=1005")),
    "machinery.xml": ("Opc.Ua.Machinery.NodeSet2.xml", ("i=5001", "i=1001", "i=1012")),
    "packml.xml": ("Opc.Ua.PackML.NodeSet2.xml", ("i=117", "i=1", "i=2", "i=3")),
    "isa95-job.xml": ("opc.ua.isa95-jobcontrol.nodeset2.xml", ("i=5001", "i=1002", "i=1003")),
}
_NOT: Final = ("Default XML", "Default JSON")


def pruned(source: Path, wanted: tuple[str, ...]) -> str:
    """Return the lean nodeset of the published one in ``source``."""
    text = source.read_text("utf-8")
    licence = re.search(r"<!--.*?-->", text, re.DOTALL)
    root = ET.fromstring(text)
    nodes = {node.get("NodeId", ""): node for node in root if _tag(node).startswith("UA")}
    kept = _closure(nodes, [f"ns=1;{one}" for one in wanted])
    for node in list(root):
        if _tag(node) not in _HEAD and node.get("NodeId") not in kept:
            root.remove(node)
    for parent in list(root.iter()):
        for child in list(parent):
            if _tag(child) in _DROPPED and _tag(parent).startswith("UA"):
                parent.remove(child)
            if _tag(child) == "Reference" and (child.text or "").startswith("ns=1;") and child.text not in kept:
                parent.remove(child)
            if _tag(child) == "RequiredModel" and child.get("ModelUri", "").endswith("/IA/"):
                parent.remove(child)
    ET.register_namespace("", _NS)
    ET.register_namespace("uax", "http://opcfoundation.org/UA/2008/02/Types.xsd")
    body = re.sub(r">\s+<", ">\n<", ET.tostring(root, encoding="unicode"))
    return f"{licence.group(0) if licence else ''}\n{body}\n"


def _closure(nodes: dict[str, ET.Element], wanted: list[str]) -> set[str]:
    below: dict[str, list[str]] = {}
    for name, node in nodes.items():
        below.setdefault(node.get("ParentNodeId", ""), []).append(name)
    kept, due = set[str](), wanted
    while due:
        name = due.pop()
        if name in kept or name not in nodes or any(word in nodes[name].get("BrowseName", "") for word in _NOT):
            continue
        kept.add(name)
        due += [*below.get(name, ()), *_targets(nodes[name])]
    return kept


def _targets(node: ET.Element) -> Iterator[str]:
    yield node.get("DataType", "")
    for part in node.iter():
        if part.text and part.text.strip().startswith("ns=1;"):
            yield part.text.strip()
        yield part.get("DataType", "")


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


if __name__ == "__main__":
    for file, (published, nodes) in WANTED.items():
        (Path(__file__).parent / file).write_text(pruned(Path(sys.argv[1]) / published, nodes), "utf-8")
