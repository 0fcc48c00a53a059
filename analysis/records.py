"""Labelled results on disk: netCDF for arrays, JSON for summaries, each with where it came from.

They are written whole or not at all (`analysis.files`), and replace nothing but records of their own kind: a file
that carries no schema is somebody else's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import xarray as xr

from analysis import files
from analysis.errors import InputError
from analysis.files import write_whole
from analysis.inputs import check_regular, parse_json

# Where a record comes from: enough to make it again, and nothing about whose machine it was.


_PACKAGES = ("numpy", "torch", "transformers", "tapa-toolkit")
_MAPPINGS = ("configuration", "seeds", "versions")  # stored as one JSON text each


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a record. Equal inputs on two machines differ in nothing but versions, times and threads.

    Attributes:
        command: as typed, each path cut to its file name.
        configuration: every option in force, defaults included; paths cut likewise.
        configuration_sha256: of the configuration as JSON with sorted keys and no blanks.
        seeds: of every generator, by what it draws; empty if nothing was drawn.
        versions: of Python, numpy, torch, transformers and this project.
        device: "cpu", or the accelerator's own name.
        precision: of the computation, e.g. "float32" or "float32 forward, float64 statistics".
        threads: that computed, >= 1.
        seconds: that the computation took, >= 0.
        time: when it ended, UTC, ISO 8601 to the second.
        model_sha256: of the weights; None if there were none.
        text_sha256: of the tokens; None if there were none.
        commit: of the checkout that computed, with "-dirty" if files differed from it; None outside one.

    >>> how = {'device': 'cpu', 'precision': 'float64', 'threads': 1, 'seconds': 0.1}
    >>> p = Provenance.collect(['tapa', 'curve'], {'base': 1e4}, seeds={'windows': 0}, **how)
    >>> p.command, len(p.configuration_sha256), p.seeds
    ('tapa curve', 64, {'windows': 0})
    """

    command: str
    configuration: Mapping[str, Any]
    configuration_sha256: str
    seeds: Mapping[str, int]
    versions: Mapping[str, str]
    device: str
    precision: str
    threads: int
    seconds: float
    time: str
    model_sha256: str | None = None
    text_sha256: str | None = None
    commit: str | None = None

    def __post_init__(self) -> None:
        if self.configuration_sha256 != (found := _sha256_of(self.configuration)):
            raise ValueError(
                f"configuration_sha256={self.configuration_sha256} is not the configuration's {found}"
            )
        if self.threads < 1 or not 0 <= self.seconds < math.inf:
            raise ValueError(f"threads={self.threads} must be >= 1, seconds={self.seconds} finite and >= 0")
        if datetime.fromisoformat(self.time).utcoffset() != UTC.utcoffset(None):
            raise ValueError(f"time={self.time} is not in UTC")
        for name in ("model_sha256", "text_sha256"):
            value = getattr(self, name)
            if value is not None and (len(value) != 64 or set(value) - set("0123456789abcdef")):
                raise ValueError(f"{name}={value!r} is not 64 lower-case hex digits")

    @classmethod
    def collect(
        cls,
        arguments: Sequence[str],
        configuration: Mapping[str, Any],
        *,
        seeds: Mapping[str, int],
        device: str,
        precision: str,
        threads: int,
        seconds: float,
        model_sha256: str | None = None,
        text_sha256: str | None = None,
    ) -> Provenance:
        """The provenance of what has just been computed: adds versions, the time now and the commit.

        Args:
            arguments: the command line, program first (`sys.argv`).
            configuration: values are JSON's own, NumPy scalars, paths, and lists and mappings of them.
            seeds, device, precision, threads, seconds, model_sha256, text_sha256: see the attributes.

        Raises:
            TypeError, ValueError: a value is of another type or not finite.
        """
        plain = plain_value(configuration)
        return cls(
            command=" ".join(_without_folders(argument) for argument in arguments),
            configuration=plain,
            configuration_sha256=_sha256_of(plain),
            seeds=dict(seeds),
            versions={"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
            device=device,
            precision=precision,
            threads=threads,
            seconds=round(seconds, 3),
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            model_sha256=model_sha256,
            text_sha256=text_sha256,
            commit=_commit(Path(__file__).resolve().parents[1]),
        )

    def to_attributes(self) -> dict[str, str | int | float]:
        """Flat names and plain values, as netCDF attributes can be; what is None is left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _MAPPINGS:
            values[name] = _canonical(values[name])
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Provenance:
        """Inverse of `to_attributes`; other attributes are passed over.

        Raises:
            KeyError, TypeError, ValueError: one is missing or is not what `to_attributes` writes.
        """
        names = {field.name for field in fields(cls)}
        values = {name: plain_value(value) for name, value in attributes.items() if name in names}
        return cls(**values | {name: json.loads(values[name]) for name in _MAPPINGS})


def plain_value(value: Any) -> Any:
    """`value` as JSON's own types, every path in it cut to its file name; NaN and infinity are refused.

    >>> plain_value({'path': Path('/tmp/a.txt'), 'n': np.int64(3)})  # paths are cut to their names
    {'path': 'a.txt', 'n': 3}
    """
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, PurePath):
        return printable(value.name)
    if isinstance(value, str):
        return printable(_file_name(value) if _is_place(value) else value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no place in JSON; write None or a text")
        return float(value)
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a NumPy scalar
        return plain_value(value.item())
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be recorded")


def _is_place(text: str) -> bool:
    """Is it a path that says where on a machine something lies?"""
    anchored = PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()
    return anchored or text.startswith(("~", "./", "../", ".\\", "..\\"))


def _file_name(text: str) -> str:
    return PureWindowsPath(text).name  # splits at both kinds of slash


def _without_folders(argument: str) -> str:
    """An argument of a command line; of `--option=path/file` only the path is cut."""
    option, equals, value = argument.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={_without_folders(value)}"
    return printable(_file_name(argument) or argument)


def printable(text: str) -> str:
    """A name as text that can be written: bytes of a file name that are no UTF-8 become question marks."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _sha256_of(configuration: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(configuration).encode()).hexdigest()


def _commit(root: Path) -> str | None:
    """Commit of the checkout at `root`; None if this is an installed package or git cannot tell."""
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):  # no git, no commit yet, or somebody else's folder
        return None
    return f"{commit}-dirty" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_STARTS = (_HDF5_SIGNATURE, b'{\n "content":')  # of a record, of a summary
LARGE = 4096  # numbers in an array that is worth shortening
BITS = 8  # of a standard error that are kept, in it and in the estimate it is of
MOST_EXPANDED = 1100  # bytes in memory of a byte on the disk: zlib can save no more
# what HDF5 and xarray raise, by what is damaged
_DAMAGE = (
    OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, MemoryError,
    NotImplementedError,
)  # fmt: skip
_COMPRESSED = {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True}


@dataclass(frozen=True, slots=True)
class Schema:
    """What a kind of record holds, for whoever writes and reads it.

    Attributes:
        name: of the kind, e.g. "heads".
        version: raised whenever a name, dimension, unit or meaning in it changes.
        made_by: the command that makes such a record, for error messages.
        variables: units and long name of every variable and coordinate, by name; empty for a record of words.
        required: names of those without which a record is refused when it is read.

    >>> Schema('evaluation', 1, made_by='tapa evaluate MODEL').label
    'evaluation/1'
    """

    name: str
    version: int
    made_by: str
    variables: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False, hash=False)
    required: Collection[str] = field(default=(), repr=False, hash=False)

    @property
    def label(self) -> str:
        return f"{self.name}/{self.version}"


def write(dataset: xr.Dataset, path: Path, provenance: Provenance, *, schema: Schema) -> None:
    """Write one record as netCDF-4, numbers compressed and check-summed; replaces a record of its kind.

    Of `LARGE` numbers or more, an estimate `x` that has its standard error beside it as `x_se` is kept to 1/512 of
    that error, and the error to as many digits: what lies below is noise, and takes half of the space.

    Args:
        dataset: its attributes are kept beside the provenance's.
        path: missing folders are made.
        provenance: written as flat attributes, `provenance_of` reads it back.
        schema: of this kind of record.

    Raises:
        InputError: `path` cannot be written, or is a file that is no record of this kind.
        ValueError: an attribute of the dataset has a name that the provenance uses, or a variable has no units or
            no long name, its own or the schema's.
    """
    added = provenance.to_attributes() | {"schema": schema.label}
    if clash := sorted(added.keys() & dataset.attrs.keys()):
        raise ValueError(f"attributes {clash} of the dataset are written from its provenance and schema")
    stamped = _to_their_errors(_described(dataset, schema).drop_encoding()).assign_attrs(added)
    if schema.variables and (bare := [name for name, x in stamped.variables.items() if not _is_described(x)]):
        raise ValueError(
            f"variables {bare} of a {schema.label} have no units and long_name; add them to its schema"
        )
    encoding = {
        name: dict(_COMPRESSED)
        for name, variable in stamped.variables.items()
        if variable.ndim and variable.size and np.issubdtype(variable.dtype, np.number)
    }
    check_replaceable(path, schema)
    write_whole(path, stamped.to_netcdf(engine="h5netcdf", encoding=encoding))


def _to_their_errors(dataset: xr.Dataset) -> xr.Dataset:
    """Estimates without the digits that their standard errors drown, which no compression can shorten."""
    rounded = {}
    for name, error in dataset.data_vars.items():
        estimate = dataset.data_vars.get(str(name).removesuffix("_se"))
        if not str(name).endswith("_se") or estimate is None or estimate.dims != error.dims:
            continue
        if error.size < LARGE or error.dtype.kind != "f" or estimate.dtype.kind != "f":
            continue
        wide = error.values.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            digit = np.exp2(np.floor(np.log2(wide)) - BITS)
        for key, x in ((str(name).removesuffix("_se"), estimate), (name, error)):
            rounded[key] = x.dims, _rounded_to(x.values, digit), x.attrs
    return dataset.assign(rounded)


def _rounded_to(x: np.ndarray, digit: np.ndarray) -> np.ndarray:
    """x in whole numbers of `digit` where that is a number above 0, in float32 if all of them fit."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        whole = np.round(x.astype(np.float64) / digit)
        shorter = np.where(np.isfinite(whole) & (digit > 0), whole * digit, x)
        fits = np.abs(whole) < 2.0**24
        narrow = shorter.astype(np.float32)
    return narrow if (fits | ~np.isfinite(x) | (x == narrow)).all() else shorter.astype(x.dtype)


def read(path: Path, *, expect_schema: Schema) -> xr.Dataset:
    """One record, wholly in memory.

    Raises:
        InputError: there is none, it is truncated or no netCDF-4, or it is of another kind or version; the
            message names the command that makes it.

    >>> import tempfile
    >>> data = xr.Dataset({'x': ('n', [1.0, 2.0], {'units': '1', 'long_name': 'two numbers'})})
    >>> schema, how = Schema('demo', 1, made_by='demo'), {'device': 'cpu', 'precision': 'float64'}
    >>> p = Provenance.collect(['demo'], {}, seeds={}, threads=1, seconds=0.0, **how)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(data, Path(folder, 'r.nc'), p, schema=schema)
    ...     read(Path(folder, 'r.nc'), expect_schema=schema)['x'].values
    array([1., 2.])
    """
    _check_signature(path, expect_schema)
    try:
        _open_all(path)
        # no decoding of times: "s" and "days" are units of plain numbers here
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as opened:
            _check_schema(path, opened.attrs.get("schema"), expect_schema)
            if opened.nbytes > MOST_EXPANDED * path.stat().st_size:
                raise InputError(f"record {path} stands for {opened.nbytes} bytes; {_again(expect_schema)}")
            dataset = opened.load()
    except InputError:
        raise
    except _DAMAGE as error:
        reason = "truncated" if "truncated" in str(error) else " ".join(str(error).split())
        raise InputError(f"record {path} is damaged ({reason}); {_again(expect_schema)}") from error
    _check_variables(path, dataset, expect_schema)
    return _described(dataset, expect_schema)


def schema_label(path: Path) -> str:
    """Kind and version of a record of arrays, such as "distance-bias/2", without reading it.

    Raises:
        InputError: there is none, it is damaged or no netCDF-4, or it names no kind.
    """
    any_kind = Schema("record", 1, made_by="tapa measure MODEL")
    _check_signature(path, any_kind)
    try:
        _open_all(path)
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as file:
            found = file.attrs.get("schema")
    except _DAMAGE as error:
        raise InputError(f"record {path} is damaged; {_again(any_kind)}") from error
    if not isinstance(found, str):
        raise InputError(f"{path} names no schema, so it is no record; {_again(any_kind)}")
    return found


def _open_all(path: Path) -> None:
    """Open everything that a file holds: h5netcdf, stopped halfway by what is damaged, complains on stderr later."""

    import h5py  # only whoever reads or replaces a record pays for it

    def look(name: str, item: Any) -> None:
        dict(item.attrs)

    with h5py.File(path, "r") as opened:
        look("", opened)
        opened.visititems(look)


def _check_variables(path: Path, dataset: xr.Dataset, schema: Schema) -> None:
    """Every variable that readers rely on is there, and each holds numbers or texts."""
    if missing := sorted(set(schema.required) - set(dataset.variables)):
        raise InputError(f"record {path} lacks {', '.join(missing)}; {_again(schema)}")
    for name, variable in dataset.variables.items():
        kind = variable.dtype.kind
        if kind not in "biufUT" and not (
            kind == "O" and all(isinstance(x, str) for x in variable.values.flat)
        ):
            raise InputError(f"record {path}: {name} holds neither numbers nor texts; {_again(schema)}")


@contextlib.contextmanager
def relied_on(path: Path, schema: Schema) -> Iterator[None]:
    """Turns what fails inside the block, because a record is not as its schema says, into one line that names it.

    For code that goes on from what an earlier run has written: shapes and labels are looked at where they are used.
    """
    try:
        yield
    except InputError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise InputError(
            f"record {path} does not hold what a {schema.label} does ({reason}); {_again(schema)}"
        ) from error


def _described(dataset: xr.Dataset, schema: Schema) -> xr.Dataset:
    """The dataset with the schema's units and long name for every variable that does not have its own."""
    described = dataset.copy()
    for name, variable in described.variables.items():
        if name in schema.variables:
            units, words = schema.variables[str(name)]
            variable.attrs = {"units": units, "long_name": words} | variable.attrs
    return described


def _is_described(variable: xr.Variable) -> bool:
    return {"units", "long_name"} <= variable.attrs.keys()


def provenance_of(record: xr.Dataset) -> Provenance:
    """Where a record that was read came from.

    Raises:
        KeyError, TypeError, ValueError: its attributes are not those that `write` gives.
    """
    return Provenance.from_attributes(record.attrs)


def row_key(settings: Any, *files: Path) -> str:
    """Of all that decides a row of a record: settings, a dataclass, and the content of files; 32 hexadecimal digits."""
    digest = hashlib.sha256(repr(sorted(asdict(settings).items())).encode())
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def write_summary(
    content: Mapping[str, Any], path: Path, provenance: Provenance, *, schema: Schema, digits: int = 6
) -> None:
    """Write a few numbers as JSON text, keys sorted, so that two versions can be compared line by line.

    Args:
        content: JSON's own types, NumPy scalars, and lists and mappings of them.
        path: missing folders are made; a summary of its kind is replaced.
        provenance: written beside the content.
        schema: of this kind of summary.
        digits: significant decimal digits that every float is rounded to, 1 to 17.

    Raises:
        InputError: `path` cannot be written, or is a file that is no summary of this kind.
        TypeError, ValueError: a value is of another type or not finite, `digits` is out of its range.
    """
    if not 1 <= digits <= 17:
        raise ValueError(f"digits={digits} is not between 1 and 17")
    whole = {
        "schema": schema.label,
        "provenance": provenance.to_attributes(),
        "content": _rounded(plain_value(content), digits),
    }
    check_replaceable(path, schema)
    write_whole(path, (json.dumps(whole, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())


def read_summary(path: Path, *, expect_schema: Schema) -> dict[str, Any]:
    """The content of a summary.

    Raises:
        InputError: there is none, it is truncated or no JSON, or it is of another kind or version; the
            message names the command that makes it.
    """
    data = _bytes_of(path, expect_schema)
    try:
        whole = parse_json(data, path)
        schema, content = whole["schema"], whole["content"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"summary {path} is truncated or damaged; {_again(expect_schema)}") from error
    _check_schema(path, schema, expect_schema)
    return content


def data_folder() -> Path:
    """Where the project's own records and pictures are made: `figures/` of a clone, else the user's data folder."""
    root = Path(__file__).resolve().parents[1]
    if (root / "pyproject.toml").is_file():
        return root / "figures"
    import platformdirs  # at most once, by an installed wheel

    return platformdirs.user_data_path("tapa-toolkit")


def ensure_writable(path: Path, schema: Schema) -> None:
    """Call before a long computation: makes missing folders, tries a file beside `path`, leaves it untouched.

    Args:
        path: of a record or summary to be written later.
        schema: of its kind.

    Raises:
        InputError: `path` is a folder, a device or a pipe, nothing can be written beside it, or what lies there is no
            record of this kind.
    """
    files.check_writable(path)
    check_replaceable(path, schema)


def check_replaceable(path: Path, schema: Schema) -> None:
    """`InputError` unless `path` is free, empty, or a record of this kind, of whatever version: others' files stay."""
    if not os.path.isfile(path) or os.path.getsize(path) == 0:  # what is no file, `write_whole` refuses
        return
    found = schema_at(path)
    if found is None or found.partition("/")[0] != schema.name:
        what = "no record" if found is None else f"a record of another kind, {found}"
        raise InputError(f"{path} exists and is {what}; give another output path or remove it")


def schema_at(path: Path) -> str | None:
    """The label of the schema that a record or summary carries; None for any other file, or a damaged one."""
    import h5py  # only whoever replaces a file pays for it

    try:
        with path.open("rb") as stream:
            start = stream.read(max(map(len, _STARTS)))
        if start.startswith(_HDF5_SIGNATURE):
            with h5py.File(path, "r") as opened:
                found = opened.attrs.get("schema")
        elif start.startswith(_STARTS):
            whole = json.loads(path.read_bytes())
            found = whole.get("schema") if {"content", "provenance"} <= whole.keys() else None
        else:
            return None
    except (
        OSError,
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
    ):  # what HDF5 and JSON raise, by what is damaged
        return None
    return found if isinstance(found, str) else None


def _bytes_of(path: Path, schema: Schema, size: int = -1) -> bytes:
    check_regular(path)
    try:
        with path.open("rb") as stream:
            return stream.read(size)
    except FileNotFoundError:
        raise InputError(f"there is no {path}; make it with `{schema.made_by}`") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {_again(schema)}") from error


def _check_signature(path: Path, schema: Schema) -> None:
    start = _bytes_of(path, schema, len(_HDF5_SIGNATURE))
    if start != _HDF5_SIGNATURE:
        what = "is empty or truncated" if _HDF5_SIGNATURE.startswith(start) else f"starts with {start!r}"
        raise InputError(f"record {path} is not netCDF-4 (it {what}); {_again(schema)}")


def _check_schema(path: Path, found: Any, expected: Schema) -> None:
    if found != expected.label:
        what = "names no schema" if found is None else f"has schema {found}"
        raise InputError(f"{path} {what}, {expected.label} is read here; {_again(expected)}")


def _again(schema: Schema) -> str:
    return f"make it again with `{schema.made_by}`"


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    if not isinstance(value, float):
        return value
    rounded = float(f"{value:.{digits}g}")
    return rounded if math.isfinite(rounded) else value  # 1.7e308 to one digit is beyond the floats
