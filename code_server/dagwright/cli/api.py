"""`api`: every operation of REST as a command, from the methods of the client."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Iterator
from typing import Any

import click

from dagwright.cli import output
from dagwright.cli.rest import connect, url_option
from dagwright_shared.model.errors import nearest


class _Calls(click.Group):
    """A group whose commands are found by asking the client; `noun` is None at the top."""

    def __init__(self, noun: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._noun = noun

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_nouns() if self._noun is None else _methods(self._noun))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if self._noun is None:
            nouns = _nouns()
            return _Calls(cmd_name, name=cmd_name, help=inspect.getdoc(nouns[cmd_name])) if cmd_name in nouns else None
        method = _methods(self._noun).get(cmd_name)
        return None if method is None else _command(self._noun, cmd_name, method)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = nearest(args[0], self.list_commands(ctx)) if args else None
            raise click.UsageError(f"{error.message}{f' Did you mean {close!r}?' if close else ''}", ctx) from None


@click.group(cls=_Calls)
def api() -> None:
    """Call any operation of the REST API, and print its answer as JSON.

    `dagwright api` lists the nouns, `dagwright api runs` what can be done with runs, and `dagwright api runs launch --help` its options.
    Lists and objects are given as JSON.
    """


@functools.cache
def _nouns() -> dict[str, type]:
    """The groups of the client, by name."""
    from dagwright.client import Client

    with Client("http://127.0.0.1") as client:
        return {name: type(value) for name, value in vars(client).items() if not name.startswith("_")}


def _methods(noun: str) -> dict[str, Any]:
    """The operations of a noun; not what is made of several, which has a command of its own."""
    generated = _nouns()[noun].__mro__[-2]
    return {name: value for name, value in vars(generated).items() if not name.startswith("_")}


def _command(noun: str, name: str, method: Any) -> click.Command:
    parameters: list[click.Parameter] = []
    lists: set[str] = set()
    for each in list(inspect.signature(method).parameters.values())[1:]:
        if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            parameters.append(click.Argument([each.name]))
            continue
        many = "Sequence[str]" in each.annotation or "Sequence[models." in each.annotation
        lists |= {each.name} if many else set()
        parameters.append(
            click.Option(
                [f"--{each.name.replace('_', '-')}", each.name],
                metavar="TEXT..." if many else "JSON" if _is_json(each.annotation) else "TEXT",
                multiple=many,
                required=each.default is inspect.Parameter.empty,
                help=_said(method, each.name) + ("; may be given again" if many else ""),
            )
        )

    @url_option
    def call(url: str | None, **given: Any) -> None:
        annotations = {each.name: each.annotation for each in inspect.signature(method).parameters.values()}
        values = {
            key: list(value) if key in lists and not _one_json(value) else _value(value, annotations[key], key)
            for key, value in given.items()
            if value is not None and value != ()
        }
        _print(getattr(getattr(connect(url), noun), name)(**values))

    summary = (inspect.getdoc(method) or "").partition("\n\nArgs:")[0]
    return click.Command(name, params=[*parameters, *getattr(call, "__click_params__", [])], callback=call, help=summary)


def _is_json(annotation: str) -> bool:
    return any(word in annotation for word in ("Mapping", "int", "float", "bool", "Any", "PartitionRange"))


def _one_json(value: Any) -> bool:
    """Whether a repeatable option was given once, as a whole list or an object."""
    return isinstance(value, tuple) and len(value) == 1 and value[0][:1] in ("[", "{", '"')


def _value(given: Any, annotation: str, name: str) -> Any:
    """What was written, as the client takes it."""
    text: str = given[0] if isinstance(given, tuple) else given
    if "datetime" in annotation:
        from datetime import datetime

        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise click.UsageError(f"--{name.replace('_', '-')}: {text!r} is not a moment in ISO 8601") from None
    if not _is_json(annotation) and not isinstance(given, tuple):
        return None if text == "null" and "None" in annotation else text
    try:
        return json.loads(text)
    except ValueError:
        if "str" in annotation.replace("Mapping[str", "") or "Any" in annotation:
            return text
        raise click.UsageError(f"--{name.replace('_', '-')}: {text!r} is not JSON") from None


def _said(method: Any, name: str) -> str:
    """What the docstring says of an argument."""
    lines = iter((inspect.getdoc(method) or "").partition("Args:")[2].splitlines())
    said: list[str] = []
    for line in lines:
        if said and not line.startswith("        "):
            break
        if said or line.strip().startswith(f"{name}: "):
            said.append(line.strip().removeprefix(f"{name}: "))
    return " ".join(said).rstrip(".")


def _print(answer: Any) -> None:
    from dagwright.client import Pages, StreamEvent

    match answer:
        case None:
            pass
        case str():
            click.echo(answer, nl=False)
        case Pages():
            output.as_json(list(answer))
        case Iterator():
            for each in answer:
                click.echo(json.dumps({"event": each.event, "id": each.id, "data": each.data} if isinstance(each, StreamEvent) else each))
        case _:
            output.as_json(answer)
