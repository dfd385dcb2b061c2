"""What a recipe may say, as a page for people and a schema for editors, both made from the models."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.recipes.recipe import Recipe

Schema = Mapping[str, Any]
HEAD = """\
# Recipes

Made from the models by `curate schema --markdown`; a test holds it current. A recipe is YAML: the sections below,
every key with its type, its default and what it means. Sizes in bytes may be written as `20MB` or `1GiB`.
`curate schema` prints the same as JSON schema, by which editors complete keys and mark mistakes.
"""
EDITOR_LINE = "# yaml-language-server: $schema={schema}"
"""First line of a recipe: tells editors where its schema is."""
REQUIRED = "**required**"


def recipe_schema() -> str:
    """Return the JSON schema (2020-12) of a recipe."""
    return json.dumps(Recipe.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def recipe_reference() -> str:
    """Return the page, in Markdown: a table per section, per rule and per type of source."""
    schema = Recipe.model_json_schema()
    return HEAD + "".join(_sections(schema, schema["$defs"]))


def _sections(schema: Schema, defs: Schema) -> Iterator[str]:
    top = {name: field for name, field in schema["properties"].items() if not list(_models(field, defs))}
    yield _table("The recipe", schema["description"], top, required=schema.get("required", []), defs=defs)
    for name, field in schema["properties"].items():
        if name == "sources":
            yield f"\n## sources\n\n{_text(field['description'])}\n"
        for model in _models(field, defs):
            kind = model["properties"].get("type", {}).get("const")
            title = f"sources, type: {kind}" if kind else name
            yield from _model(title, model, field, defs)


def _model(title: str, model: Schema, field: Schema, defs: Schema) -> Iterator[str]:
    """Yield the table of a model, and those of the models in it."""
    inner = {name: list(_models(one, defs)) for name, one in model["properties"].items()}
    plain = {name: one for name, one in model["properties"].items() if not inner[name]}
    words = field.get("description") if "type" not in plain else None
    yield _table(title, words or model.get("description", ""), plain, required=model.get("required", []), defs=defs)
    for name, models in inner.items():
        for one in models:
            yield from _model(f"{title}.{name}", one, model["properties"][name], defs)


def _table(title: str, words: str, fields: Schema, *, required: list[str], defs: Schema) -> str:
    lines = [f"\n## {title}\n", _text(words), "" if fields else None, *_rows(fields, required=required, defs=defs)]
    return "\n".join(line for line in lines if line is not None) + "\n"


def _rows(fields: Schema, *, required: list[str], defs: Schema) -> Iterator[str]:
    if fields:
        yield "| key | type | default | meaning |"
        yield "|---|---|---|---|"
    for name, field in fields.items():
        default = REQUIRED if name in required else f"`{json.dumps(field.get('default'), ensure_ascii=False)}`"
        yield f"| `{name}` | {_type(field, defs)} | {default} | {_text(field.get('description', ''))} |"


def _models(field: Schema, defs: Schema) -> Iterator[Schema]:
    """Yield the models that a field may hold."""
    for part in [field, *field.get("anyOf", []), *field.get("oneOf", []), field.get("items", {})]:
        if "$ref" in part:
            found = defs[part["$ref"].rpartition("/")[2]]
            if "properties" in found:
                yield found
    yield from (model for part in field.get("items", {}).get("oneOf", []) for model in _models(part, defs))


def _type(field: Schema, defs: Schema) -> str:
    if "$ref" in field:
        return _type(defs[field["$ref"].rpartition("/")[2]], defs)
    if values := field.get("enum", [field["const"]] if "const" in field else []):
        return ", ".join(f"`{value}`" for value in values)
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(part, defs) for part in field["anyOf"]))
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field.get('items', {}), defs)}"
    if kind == "object":
        inner = field.get("additionalProperties")
        return f"map to {_type(inner, defs)}" if isinstance(inner, Mapping) else "map"
    return kind + _bounds(field)


def _bounds(field: Schema) -> str:
    names = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    return "".join(f" {sign} {field[name]:g}" for name, sign in names.items() if name in field)


def _text(words: str) -> str:
    """Return a docstring as one line of a table's cell."""
    return " ".join(words.replace("``", "`").split()).replace("|", "\\|")
