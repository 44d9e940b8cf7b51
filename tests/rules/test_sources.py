"""Which files a rule source names, and what stands in the way of reading them."""

from __future__ import annotations

import os

import pytest

from rules.files import MAX_BYTES
from rules.loader import load, load_files
from rules.problems import RuleErrors


def write(folder, name, rule_id="a", more=""):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rule = f"{{id: {rule_id}, on: participant_joined, dispatch: {{agent: a}}}}"
    path.write_text(f"version: 1\nrules:\n  - {rule}\n{more}")
    return path


def ids(source):
    return [rule.id for rule in load(source).rules]


def error(source):
    with pytest.raises(RuleErrors) as caught:
        load(source)
    (problem,) = caught.value.problems
    return str(problem)


def test_a_file(tmp_path):
    path = write(tmp_path, "rules.yaml")
    assert ids(path) == ids(str(path)) == ["a"]


def test_a_folder_is_its_yaml_files_sorted_without_rule_tests(tmp_path):
    for name, rule_id in [("b.yml", "b"), ("a.yaml", "a"), ("c.yaml", "c")]:
        write(tmp_path, name, rule_id)
    (tmp_path / "a.test.yaml").write_text("not: rules")
    (tmp_path / "notes.txt").write_text("not rules")
    (tmp_path / ".hidden.yaml").write_text("not rules")
    write(tmp_path, "folder.yaml/x.yaml", "inner")
    assert ids(tmp_path) == ["a", "b", "c"]


def test_a_glob(tmp_path):
    for name in ("eu/a", "us/b", "us/c"):
        write(tmp_path, f"{name}.yaml", name[-1])
    (tmp_path / "us/c.test.yaml").write_text("not: rules")
    assert ids(f"{tmp_path}/*/*.yaml") == ["a", "b", "c"]
    assert ids(f"{tmp_path}/us/*") == ["b", "c"]


def test_a_file_whose_name_looks_like_a_glob(tmp_path):
    assert ids(write(tmp_path, "rules[1].yaml")) == ["a"]


def test_a_rule_file_may_be_named_anything(tmp_path):
    assert ids(write(tmp_path, "rules.conf")) == ["a"]


def test_a_folder_or_a_glob_without_files_is_an_error(tmp_path):
    assert (
        error(tmp_path)
        == f"{tmp_path}:1:1: error: no rule file in this folder: it needs a '*.yaml' or '*.yml'"
    )
    assert "no rule file matches this pattern" in error(f"{tmp_path}/*.yaml")


def test_a_missing_file_is_an_error(tmp_path):
    assert error(tmp_path / "x.yaml") == f"{tmp_path / 'x.yaml'}:1:1: error: no such file"


@pytest.mark.parametrize("source", ["", "\0", "x" * 5000, "/dev/null/x"])
def test_a_source_that_is_no_path_is_an_error(source):
    with pytest.raises(RuleErrors):
        load(source)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_an_error(tmp_path):
    path = write(tmp_path, "rules.yaml")
    path.chmod(0)
    assert "Permission denied" in error(path)


def test_a_file_that_is_not_utf_8_is_an_error_where_it_is_not(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_bytes("version: 1\n# señor ".encode() + b"\xff\n")
    assert error(path) == f"{path}:2:9: error: not UTF-8 text: save the file as UTF-8"


def test_a_byte_order_mark_is_no_trouble(tmp_path):
    path = write(tmp_path, "rules.yaml")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert ids(path) == ["a"]


def test_a_huge_file_is_an_error(tmp_path):
    path = write(tmp_path, "rules.yaml", more="#" * MAX_BYTES)
    assert "larger than 4 MiB" in error(path)


@pytest.mark.parametrize("named", ["folder", "glob", "itself", "by a link"])
def test_a_pipe_is_an_error_and_is_not_waited_for(tmp_path, named):
    write(tmp_path, "a.yaml")
    os.mkfifo(tmp_path / "b.yaml")
    (tmp_path / "c").symlink_to("b.yaml")
    sources = {
        "folder": tmp_path,
        "glob": tmp_path / "*.yaml",
        "itself": tmp_path / "b.yaml",
        "by a link": tmp_path / "c",
    }
    path = tmp_path / ("c" if named == "by a link" else "b.yaml")
    assert error(sources[named]) == f"{path}:1:1: error: a pipe: rules are read from files only"


def test_a_device_is_an_error():
    assert error("/dev/zero") == "/dev/zero:1:1: error: a device: rules are read from files only"


def test_a_link_to_a_file_is_a_rule_file(tmp_path):
    path = write(tmp_path / "kept", "rules.yaml")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").symlink_to(path)
    assert ids(tmp_path / "rules") == ["a"]


def test_every_files_errors_are_told(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_bytes(b"\xff")
    write(tmp_path, "c.yaml")
    with pytest.raises(RuleErrors) as caught:
        load(tmp_path)
    assert [problem.path for problem in caught.value.problems] == [
        str(tmp_path / "a.yaml"),
        str(tmp_path / "b.yaml"),
    ]


def test_the_hash_is_of_the_content_wherever_it_lies(tmp_path):
    one, other = (write(tmp_path / name, "rules.yaml") for name in ("x", "y"))
    renamed = write(tmp_path / "z", "other.yml")
    windows = tmp_path / "w.yaml"
    windows.write_bytes(one.read_bytes().replace(b"\n", b"\r\n"))
    assert len({load(path).hash for path in (one, other, renamed, windows, tmp_path / "x")}) == 1
    changed = write(tmp_path / "v", "rules.yaml", "b")
    assert load(changed).hash != load(one).hash


def test_the_hash_tells_where_one_file_ends_and_the_next_begins(tmp_path):
    write(tmp_path / "x", "a.yaml", "a")
    write(tmp_path / "x", "b.yaml", "b")
    write(tmp_path / "y", "a.yaml", "b")
    write(tmp_path / "y", "b.yaml", "a")
    assert load(tmp_path / "x").hash != load(tmp_path / "y").hash


def test_rules_that_loaded_can_be_kept_and_loaded_again_without_their_files(tmp_path):
    path = write(tmp_path, "rules.yaml")
    loaded = load(path)
    path.unlink()
    again = load_files(loaded.files)
    assert (again.hash, [rule.id for rule in again.rules]) == (loaded.hash, ["a"])


def test_a_link_that_leads_nowhere_is_not_passed_over(tmp_path):
    write(tmp_path, "a.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "gone.yaml")
    assert error(tmp_path).endswith("b.yaml:1:1: error: no such file")
