from __future__ import annotations

import json

from jsonschema import Draft7Validator

from rules.schema import schema
from tests.service.cli import dispatcher


def test_it_prints_the_schema_of_a_rule_file():
    done = dispatcher("rules", "schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == schema()
    Draft7Validator.check_schema(json.loads(done.stdout))


def test_its_help_says_how_an_editor_uses_it():
    assert "yaml-language-server" in dispatcher("rules", "schema", "--help").stdout
