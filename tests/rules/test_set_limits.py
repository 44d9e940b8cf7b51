"""How large a set of rules may be: files, bytes, rules, keys of tables, of all files together."""

from __future__ import annotations

import pytest

from rules.files import RuleFile
from rules.loader import load, load_files
from rules.problems import RuleErrors

RULE = "  - {id: %s, on: room_started, dispatch: {agent: a}}\n"


def rules(*ids: str) -> str:
    return "version: 1\nrules:\n" + "".join(RULE % each for each in ids)


def told(*texts: str) -> list[str]:
    with pytest.raises(RuleErrors) as refused:
        load_files([RuleFile(f"{n}.yaml", text) for n, text in enumerate(texts)])
    return [str(problem) for problem in refused.value.problems]


def test_so_many_rules_of_all_files_and_no_more(monkeypatch):
    monkeypatch.setattr("rules.loader.MAX_RULES", 3)
    files = [RuleFile("0.yaml", rules("a", "b")), RuleFile("1.yaml", rules("c"))]
    assert len(load_files(files).rules) == 3
    assert told(rules("a", "b"), rules("c", "d")) == [
        "1.yaml:4:5: error: more than 3 rules: a table may say in one what many rules do"
    ]


def test_too_many_rules_are_not_compiled_first(monkeypatch):
    monkeypatch.setattr("rules.loader.MAX_RULES", 1)
    monkeypatch.setattr("rules.loader.compile_rule", None)
    assert "more than 1 rules" in told(rules("a", "b"))[0]


def test_so_many_keys_of_all_tables_and_no_more(monkeypatch):
    monkeypatch.setattr("rules.tables.MAX_ENTRIES", 3)
    two = "version: 1\ntables:\n  first: {a: 1, b: 2}\n"
    load_files([RuleFile("0.yaml", two), RuleFile("1.yaml", two.replace("first: {a: 1,", "x: {"))])
    assert told(two, two.replace("first", "second")) == [
        "1.yaml:3:3: error: with the table 'second' the tables have more than 3 keys"
    ]


def test_so_many_files_of_a_folder_and_no_more(tmp_path, monkeypatch):
    for each in "abc":
        (tmp_path / f"{each}.yaml").write_text(rules(each))
    monkeypatch.setattr("rules.files.MAX_FILES", 3)
    assert len(load(tmp_path).rules) == 3
    monkeypatch.setattr("rules.files.MAX_FILES", 2)
    for source in (tmp_path, f"{tmp_path}/*.yaml"):
        with pytest.raises(RuleErrors, match="3 rule files: 2 are allowed"):
            load(source)


def test_so_many_bytes_of_all_files_and_no_more(tmp_path, monkeypatch):
    for each in "abc":
        (tmp_path / f"{each}.yaml").write_text(rules(each) + "#" * 1024 * 1024)
    monkeypatch.setattr("rules.files.MAX_ALL_BYTES", 4 * 1024 * 1024)
    assert len(load(tmp_path).rules) == 3
    monkeypatch.setattr("rules.files.MAX_ALL_BYTES", 2 * 1024 * 1024)
    with pytest.raises(RuleErrors, match="larger than 2 MiB together"):
        load(tmp_path)
