"""What a proof assistant has checked: `proofs/formal/*.v` compiled, checked again by coqchk, and kept in a record.

`python -m proofs.formal_record` (or `make formal`) checks our sources and compares them with
`proofs/formal/record.json`; with `--library` coqchk checks the libraries that they require as well, which takes longer
than all else, and `--write` does that too and writes the record. A comment "claim: NODE, whole|part, proved|refuted"
stands above each theorem that bears on a claim of the ledger. The ledger shows the rank for a node only while the
record holds the hash of every source, and only for what is checked whole; a part is said to be one.
"""

from __future__ import annotations

import graphlib
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import InputError
from analysis.files import write_whole

if TYPE_CHECKING:
    import resource

FOLDER = Path(__file__).with_name("formal")
RECORD = "record.json"
LIMIT = 600  # seconds for one file; the longest takes nine on a quiet core, coqchk of the library a minute
PACKAGES = "apt-get install coq libcoq-coquelicot libcoq-interval"
ALLOWED = (  # what Coq's own real numbers and functions rest on
    "ClassicalDedekindReals.sig_forall_dec",
    "ClassicalDedekindReals.sig_not_dec",
    "Classical_Prop.classic",
    "FunctionalExtensionality.functional_extensionality_dep",
)
_CLAIM = re.compile(
    r"\(\*\* claim: (?P<node>\S+), (?P<extent>whole|part), (?P<verdict>proved|refuted)\n(?P<says>.*?)\*\)\s*"
    r"(?:Theorem|Lemma|Corollary) (?P<theorem>\w+)",
    re.DOTALL,
)
_MARK = re.compile(r"\(\*\* claim:")
_OURS = re.compile(r"^Require Import ([\w ]+)\.$", re.MULTILINE)
_FORBIDDEN = re.compile(
    r"\b(Admitted|admit|Axioms?|Parameters?|Conjecture|give_up|Unset Guard Checking|bypass_check)\b"
)
_ANSWER = re.compile(r"^(?=Axioms:|Closed under)", re.MULTILINE)
_AXIOM = re.compile(r"^([\w.]+)\s*(?::|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Formal:
    """One theorem that bears on a claim.

    Attributes:
        node: of the ledger, "lem-C.1" as stated or "thm-2.2*" as repaired.
        extent: "whole" if the theorem is the claim's form, "part" if it says less; `says` then tells what is missing.
        verdict: "proved" or "refuted".
        says: in English.
        theorem: its name in Coq.
        file: its source, in `proofs/formal`.
        axioms: what Print Assumptions lists.
    """

    node: str
    extent: str
    verdict: str
    says: str
    theorem: str
    file: str
    axioms: tuple[str, ...] = ()


def formal_sources(folder: Path = FOLDER) -> dict[str, str]:
    """Text of every source by name, what a file requires before it."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.v"))}
    try:
        return {
            f"{name}.v": texts[name] for name in graphlib.TopologicalSorter(required(texts)).static_order()
        }
    except graphlib.CycleError as error:
        raise InputError(
            f"{folder}: {', '.join(error.args[1])} require each other in a circle; break it"
        ) from None


def required(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """The sources that each requires, by name; libraries are none of them."""
    named = {name: " ".join(_OURS.findall(text)).split() for name, text in texts.items()}
    return {name: texts.keys() & set(words) for name, words in named.items()}


def compile_all(texts: Mapping[str, str], folder: Path) -> None:
    """Compile sources in `folder`, as many at a time as there are cores; `InputError` of the first that fails."""
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    order = graphlib.TopologicalSorter(required({Path(file).stem: text for file, text in texts.items()}))
    order.prepare()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running: dict[Future[str], str] = {}
        while order.is_active():
            for name in order.get_ready():
                running[pool.submit(run_coq, "coqc", f"{name}.v", folder=folder)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                order.done(running.pop(future))


def forbidden(text: str) -> list[str]:
    """Words of a source, comments apart, by which something could be taken without proof."""
    bare = re.sub(r"\(\*.*?\*\)", " ", text, flags=re.DOTALL)
    return [found.group() for found in _FORBIDDEN.finditer(bare)]


def claims(texts: Mapping[str, str]) -> list[Formal]:
    """The theorems that bear on claims, as the sources declare them; `InputError` for a malformed declaration."""
    found = []
    for file, text in texts.items():
        here = [
            Formal(m["node"], m["extent"], m["verdict"], " ".join(m["says"].split()), m["theorem"], file)
            for m in _CLAIM.finditer(text)
        ]
        if len(here) != len(_MARK.findall(text)):
            raise InputError(
                f"{file}: a claim is not 'claim: NODE, whole|part, proved|refuted' above a theorem"
            )
        found += here
    nodes = [formal.node for formal in found]
    twice = sorted({node for node in nodes if nodes.count(node) > 1})
    if twice:
        raise InputError(f"{twice[0]}: two theorems claim it; say which one it is")
    return found


def hashes(texts: Mapping[str, str]) -> dict[str, str]:
    """sha256 of each source."""
    return {file: hashlib.sha256(text.encode()).hexdigest() for file, text in sorted(texts.items())}


def read_formal(folder: Path = FOLDER) -> tuple[Formal, ...]:
    """The record's theorems; none where a source is not the one that was checked, or was added or removed since."""
    path = folder / RECORD
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if kept.get("files") != hashes(formal_sources(folder)):
        return ()
    return tuple(Formal(**{**row, "axioms": tuple(row["axioms"])}) for row in kept["claims"])


@cache
def formal_proofs() -> dict[str, Formal]:
    """The theorems of the project's own record by node of the ledger."""
    return {formal.node: formal for formal in read_formal()}


def machine_checked() -> frozenset[str]:
    """The nodes that are checked whole: what the ledger ranks as machine-checked."""
    return frozenset(node for node, formal in formal_proofs().items() if formal.extent == "whole")


def formal_line(node: str) -> Iterator[str]:
    """What STATUS says of a node: theorem, source and axioms, and what a part leaves out. Nothing for all others."""
    if formal := formal_proofs().get(node):
        extent = "machine-checked" if formal.extent == "whole" else "machine-checked in part"
        axioms = ", ".join(name.rpartition(".")[2] for name in formal.axioms)
        where = f"`{formal.theorem}` in `proofs/formal/{formal.file}`"
        yield f"- {extent}, {formal.verdict}: {where}. {formal.says} Axioms: {axioms}"


def check(folder: Path = FOLDER, *, library: bool = False) -> dict[str, Any]:
    """The record of `folder`, made anew: compiled, its assumptions printed, and every source checked again by coqchk.

    Args:
        folder: of the sources.
        library: let coqchk check again with the libraries that the sources require; its CPU seconds are counted apart.

    Raises:
        InputError: Coq is missing, a proof fails, a source takes something without proof, or rests on an axiom that
            Coq's real numbers do not.
    """
    for tool in ("coqc", "coqchk"):
        if shutil.which(tool) is None:
            raise InputError(f"{tool} is not installed; {PACKAGES}")
    texts = formal_sources(folder)
    for file, text in texts.items():
        if words := forbidden(text):
            raise InputError(f"{file}: {words[0]} takes something without proof; prove it")
    before = _cpu()
    with tempfile.TemporaryDirectory() as scratch:
        compile_all(texts, Path(scratch))
        found = with_axioms(claims(texts), Path(scratch))
        names, spent = [Path(file).stem for file in texts], [_cpu()]
        alone = run_coq("coqchk", "-silent", "-o", *_each("-norec", names), folder=Path(scratch))
        spent.append(_cpu())
        whole = run_coq("coqchk", "-silent", "-o", *names, folder=Path(scratch)) if library else None
        spent += [_cpu()] * library
    strange = sorted({axiom for formal in found for axiom in formal.axioms if axiom not in ALLOWED})
    unclean = [] if coqchk_clean(alone, names) else [alone]
    unclean += [] if whole is None or coqchk_clean(whole) else [whole]
    if strange or unclean:
        said = ", ".join(strange) or " ".join(unclean[0].split())[:400]
        raise InputError(f"{folder}: rests on more than Coq's real numbers do: {said}")
    seconds = [round(end - begin, 1) for begin, end in itertools.pairwise([before, *spent])]
    return {
        "coq": run_coq("coqc", "--print-version", folder=folder).split()[0],
        "files": hashes(texts),
        "claims": [asdict(formal) for formal in found],
        "coqchk": "clean",
        **dict(zip(("cpu_seconds", "coqchk_cpu_seconds", "library_cpu_seconds"), seconds, strict=False)),
        "peak_mib": _used().ru_maxrss // 1024,
    }


def _each(option: str, names: Sequence[str]) -> Iterator[str]:
    """The option before each name."""
    return itertools.chain.from_iterable((option, name) for name in names)


def _used() -> resource.struct_rusage:
    """What the processes that this one started and that have ended have used."""
    import resource  # not on every system; nor is Coq

    return resource.getrusage(resource.RUSAGE_CHILDREN)


def _cpu() -> float:
    """Their CPU seconds."""
    return _used().ru_utime + _used().ru_stime


def run_coq(tool: str, *arguments: str, folder: Path) -> str:
    """What `coqc` or `coqchk` prints; `InputError` with its complaint where it fails or takes too long."""
    quiet = ("-q", "-w", "-ambiguous-paths") if tool == "coqc" else ()
    try:
        done = subprocess.run(
            [tool, *quiet, *arguments], cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{tool} {' '.join(arguments)}: not done after {LIMIT} s") from None
    if done.returncode:
        raise InputError(
            f"{tool} {' '.join(arguments)} failed: {' '.join((done.stdout + done.stderr).split())[:400]}"
        )
    return done.stdout + (done.stderr if tool == "coqchk" else "")


def with_axioms(found: Sequence[Formal], folder: Path) -> list[Formal]:
    """The theorems with what Print Assumptions lists for each; `folder` holds the compiled sources."""
    files = " ".join(sorted({Path(formal.file).stem for formal in found}))
    asked = (f"Print Assumptions {Path(formal.file).stem}.{formal.theorem}.\n" for formal in found)
    query = folder / "assumptions.v"
    query.write_text(f"Require {files}.\n{''.join(asked)}", encoding="utf-8")
    answers = _ANSWER.split(run_coq("coqc", query.name, folder=folder))[1:]
    return [
        Formal(**{**asdict(formal), "axioms": tuple(sorted(set(_AXIOM.findall(said)) - {"Axioms"}))})
        for formal, said in zip(found, answers, strict=True)
    ]


def coqchk_clean(said: str, sources: Sequence[str] | None = None) -> bool:
    """Does coqchk's summary list no axiom but the allowed ones, and nothing taken on trust otherwise?

    Args:
        said: the summary.
        sources: names of the files that alone were checked; whatever coqchk did not look into is listed too, members of
            the libraries' sealed modules among it, and says nothing. None where the libraries were checked.
    """
    axioms = re.findall(r"^    (\S+)$", said, re.MULTILINE)
    judged = [axiom for axiom in axioms if sources is None or axiom.partition(".")[0] in sources]
    trusted = re.findall(r"^\* (?!Theory|Axioms)(.*):\s*(.*)$", said, re.MULTILINE)
    known = all(any(axiom.endswith(name) for name in ALLOWED) for axiom in judged)
    return "CONTEXT SUMMARY" in said and known and all(rest == "<none>" for _, rest in trusted)


def _main(arguments: Sequence[str]) -> int:
    """Check, then compare with the record or write it."""
    try:
        if list(arguments) not in ([], ["--library"], ["--write"]):
            raise InputError(f"{' '.join(arguments)!r}: the only options are --library and --write")
        made = check(library=bool(arguments))
        if list(arguments) == ["--write"]:
            write_whole(FOLDER / RECORD, json.dumps(made, indent=1) + "\n")
        kept = json.loads((FOLDER / RECORD).read_text(encoding="utf-8"))
        same = ("files", "claims")
        if json.loads(json.dumps([made[key] for key in same])) != [kept[key] for key in same]:
            raise InputError(f"{RECORD} is of other sources; python -m proofs.formal_record --write")
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    cost = f"{made['cpu_seconds']} s and {made['coqchk_cpu_seconds']} s by coqchk, {made['peak_mib']} MiB"
    if "library_cpu_seconds" in made:
        cost += f"; with the libraries {made['library_cpu_seconds']} s by coqchk"
    print(f"{len(made['claims'])} claims checked by Coq {made['coq']}: {cost}")
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
