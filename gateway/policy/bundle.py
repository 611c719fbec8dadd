"""A policies folder, read, checked and tried: only then is it a bundle that may answer.

Checked are the manifest, the data, the syntax, the embedded profile and the bundle's own tests, all mistakes at once.
Where an OPA server answers, the rules and their tests are its business: it loads them itself, and only manifest and data
are checked here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.errors import ContentError, Mistake
from gateway.policy.data import DATA_FILES, read_data
from gateway.policy.manifest import MANIFEST, Manifest, read_manifest
from gateway.policy.trial import TestResult, Trial, read_only, try_out

MAX_FILE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ActiveBundle:
    """A bundle that passed everything. `cost_us` is the time of one answer, measured when it was tried; else 0."""

    revision: str
    manifest: Manifest
    modules: tuple[tuple[str, str], ...]
    data_json: str
    cost_us: float

    @property
    def entry(self) -> str:
        """The full name of the rule that answers."""
        return f"data.{self.manifest.package}.{self.manifest.rule}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. `bundle` is there only when there are no mistakes and no failed test."""

    mistakes: tuple[Mistake, ...]
    tests: tuple[TestResult, ...] = ()
    bundle: ActiveBundle | None = None


def check_bundle(directory: Path) -> Report:
    """Check a policies folder and run its tests."""
    return check_files(read_files(directory))


def run_tests(directory: Path) -> list[TestResult]:
    """Run the tests of a policies folder. Raises: ContentError when it cannot be run at all."""
    report = check_bundle(directory)
    if report.mistakes and not report.tests:
        raise ContentError(list(report.mistakes))
    return list(report.tests)


def load_bundle(directory: Path) -> ActiveBundle:
    """The bundle of a policies folder. Raises: ContentError with every mistake and every failed test."""
    report = check_bundle(directory)
    if report.bundle is None:
        failed = [Mistake(t.file, t.line, 1, f"{t.name} failed: {t.message}") for t in report.tests if not t.passed]
        raise ContentError([*report.mistakes, *failed])
    return report.bundle


def read_files(directory: Path) -> dict[str, str]:
    """The files that belong to a bundle, by their path in the folder. Raises: ContentError."""
    files: dict[str, str] = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if not path.is_file() or not (path.suffix == ".rego" or path.name in DATA_FILES or name == MANIFEST):
            continue
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ContentError([Mistake(name, 0, 0, f"larger than {MAX_FILE_BYTES} bytes")])
        try:
            files[name] = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise ContentError([Mistake(name, 0, 0, "not UTF-8")]) from error
    return files


def revision_of(files: Mapping[str, str]) -> str:
    """The hash of all files of a bundle."""
    digest = sha256()
    for name, text in sorted(files.items()):
        for part in (name.encode(), text.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def check_files(files: Mapping[str, str], *, try_out_rules: bool = True, whole: bool = True) -> Report:
    """Check a bundle given as its files.

    Takes: `try_out_rules`, False where another engine than the embedded one answers; `whole`, False where a file could not be read.
    """
    mistakes: list[Mistake] = []
    data: dict[str, Any] = {}
    manifest: Manifest | None = None
    try:
        manifest = read_manifest(MANIFEST, _required(files))
    except ContentError as error:
        mistakes += error.mistakes
    try:
        data = read_data(files)
    except ContentError as error:
        mistakes += error.mistakes
    modules = tuple((name, text) for name, text in files.items() if name.endswith(".rego"))
    if mistakes or manifest is None or not whole:
        return Report((*mistakes, *(read_only(modules) if try_out_rules else ())))
    data_json = json.dumps(data)
    trial = try_out(manifest, modules, data_json) if try_out_rules else Trial()
    mistakes += trial.mistakes
    if mistakes or not all(test.passed for test in trial.tests):
        return Report(tuple(mistakes), tuple(trial.tests))
    active = tuple(module for module in modules if not module[0].endswith("_test.rego"))
    bundle = ActiveBundle(revision_of(files), manifest, active, data_json, trial.cost_us)
    return Report((), tuple(trial.tests), bundle)


def _required(files: Mapping[str, str]) -> str:
    if MANIFEST not in files:
        raise ContentError([Mistake(MANIFEST, 0, 0, "missing")])
    return files[MANIFEST]
