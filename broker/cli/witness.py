"""``sharebroker witness``: run by another office, it sees that a log only grows, and signs that it does."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from broker.cli.connection import Json
from broker.errors import SetUpError, VerificationFailed
from broker.http.client import HttpClient, NoAnswer
from broker.keys.log_key import create_log_key
from broker.receipt import key_history
from broker.receipt.export import exported_note
from broker.receipt.log_keys import parse_succession, succession_of
from broker.receipt.note import VerifierKey
from broker.receipt.witnesses import WitnessKey
from broker.witness.memory import WitnessMemory, create_memory
from broker.witness.serve import copy_folder, witness_of
from broker.witness.serve import serve as run
from broker.witness.settings import FILE, WitnessSettings, load_witness
from broker.witness.witness import Witness, head_of

app = typer.Typer(
    help="见证人：由另一部门运行，确认日志只增不改 / witness, run by another office: the log only grows",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Argument(help="见证人目录 / folder of the witness")]

EXIT_FORKED = 3
OK = 200


@app.command()
def init(
    folder: Folder,
    name: Annotated[
        str, typer.Option(help="见证人名称，如 audit.xinghe.example/w1，以后不可改 / its name, for good")
    ],
    listen: Annotated[str, typer.Option(help="监听地址 / address and port")] = "127.0.0.1:7090",
) -> None:
    """新建见证人：密钥、记录、配置 / set up a witness: key, memory, settings."""
    file = folder / FILE
    if file.exists():
        raise SetUpError(f"{file} 已存在，不予覆盖。", f"{file} exists and is not replaced.")
    settings = _checked(name, listen)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = create_log_key(folder / settings.key)
    create_memory(folder / settings.state)
    text = f"name = {_quoted(name)}\nlisten = {_quoted(listen)}\n"
    file.write_text(text, "utf-8")
    print(
        f"已建立见证人 {folder}。公钥（请交给日志主管部门，另一途径核对）：\n"
        f"Witness {folder} is set up. Its key (for the log's authority; compare it on another way):\n"
        f"  {WitnessKey.of(name, key)}\n"
        f"下一步 next: sharebroker witness add-log {folder} 日志公钥/VKEY"
    )


@app.command("add-log")
def add_log(
    folder: Folder,
    vkey: Annotated[str, typer.Argument(help="日志公钥，须另行取得 / the log's key, got separately")],
    mirror: Annotated[
        str, typer.Option(help="日志公开网址；给出则自存副本并全部核验 / where it is shown: keep a copy")
    ] = "",
) -> None:
    """登记一个日志，或已登记日志的新公钥；重启后生效 / add a log, or a new key of one; restart then."""
    settings = load_witness(folder)
    key = VerifierKey.parse(vkey.strip())
    if any(known.key == key for known in settings.log):
        raise SetUpError("该公钥已登记。", "This key is known already.")
    lines = ["", "[[log]]", f"vkey = {_quoted(str(key))}"]
    if mirror:
        HttpClient(mirror)  # refuses what is no address
        lines.append(f"mirror = {_quoted(mirror)}")
    _append(folder, lines)
    copied = ("并自存副本", ", and keeps a copy") if mirror else ("", "")
    print(
        f"已登记日志 {key.name}{copied[0]}；请重启见证服务。\n"
        f"Log {key.name} is witnessed from the next start of `sharebroker witness serve`{copied[1]}."
    )


@app.command("learn-keys")
def learn_keys(
    folder: Folder,
    history: Annotated[
        str,
        typer.Argument(
            metavar="LOG_KEYS",
            help="密钥历史 log-keys：文件，或日志公开网址 / the file `log-keys`, or where the log is shown",
        ),
    ],
) -> None:
    """由日志的密钥历史登记其新公钥；重启后生效 / learn a log's later keys by its history; restart then.

    每次更替由新旧密钥共同签名，并是日志中的一条存证；须从已登记的公钥连贯而来，否则不登记。

    Each succession is signed by both keys and a leaf of the log; a key known here must lead to them.
    """
    settings = load_witness(folder)
    receipts = key_history.parse(_history(settings, history))
    if not receipts:
        raise VerificationFailed("密钥历史为空 / log keys: empty")
    name = parse_succession(succession_of(receipts[0].statement)).old.name
    known = settings.logs().get(name, ())
    if not known:
        raise SetUpError(f"尚未登记日志 {name}，见 add-log。", f"Log {name} is not known: see add-log.")
    learnt = key_history.proved(known[0].key, receipts).keys
    new = [key for key in learnt if all(log.key != key for log in known)]
    for key in new:
        origin = [f"origin = {_quoted(known[0].origin)}"] if known[0].origin else []
        _append(folder, ["", "[[log]]", f"vkey = {_quoted(str(key))}", *origin])
    if not new:
        print(f"日志 {name} 没有新公钥。\nLog {name} has no new key.")
        return
    print(
        f"已登记日志 {name} 的 {len(new)} 把新公钥；请重启见证服务。\n"
        f"{len(new)} new key(s) of log {name} are known from the next start of `sharebroker witness serve`."
    )


@app.command()
def serve(folder: Folder) -> None:
    """运行见证服务 / run the witness."""
    from broker.server.logging import configure_logging

    configure_logging()
    settings = load_witness(folder)
    if not settings.log:
        raise SetUpError(
            f"尚未登记任何日志。请运行 sharebroker witness add-log {folder} 日志公钥。",
            f"No log is known yet. Run `sharebroker witness add-log {folder} VKEY`.",
        )
    run(settings, _listening)


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:
    """查看各日志已见证到何处；有分叉时退出码为 3 / how far each log was witnessed; exit 3: one has forked."""
    settings = load_witness(folder)
    with closing(WitnessMemory(settings.path(settings.state))) as memory:
        witness = witness_of(settings, memory)
        logs = [_log(settings, witness, origin) for origin in settings.logs()]
    if as_json:
        print(orjson.dumps({"vkey": str(witness.key), "logs": logs}).decode())
    else:
        print(f"见证人 witness：{witness.key}")
        for log in logs:
            _print(log)
    if any(log["fork"] for log in logs):
        raise typer.Exit(EXIT_FORKED)


def _log(settings: WitnessSettings, witness: Witness, origin: str) -> dict[str, Any]:
    """What is known of one log."""
    last, fork = witness.cosigned(origin), witness.forks().get(origin)
    known = settings.logs()[origin]
    copied = None
    if any(log.mirror for log in known):
        note = exported_note(copy_folder(settings, origin))
        copied = head_of(note).size if note else 0
    return {
        "origin": origin,
        "keys": [log.vkey for log in known],
        "size": last.size,
        "root": last.root.hex(),
        "at": _time(last.at) if last.note else None,
        "copied": copied,
        "fork": fork and {"at": _time(fork.at), "heads": [fork.one, fork.other]},
    }


def _print(log: dict[str, Any]) -> None:
    copied = "" if log["copied"] is None else f"，副本 copy {log['copied']}"
    seen = f"已见证 cosigned {log['size']}（{log['at']}）" if log["at"] else "尚未见证 not cosigned yet"
    print(f"日志 log {log['origin']}：{seen}{copied}，公钥 keys {len(log['keys'])}")
    if fork := log["fork"]:
        print(
            f"  警报：该日志已分叉（{fork['at']} 发现），已停止为其签名。以下两份日志头由同一日志签署，"
            "互相矛盾，请妥善保存并交审计部门：\n"
            f"  ALARM: it has forked (seen {fork['at']}); nothing of it is cosigned any more. The log has "
            "signed these two heads, which contradict each other; keep them for the auditors:"
        )
        for head in fork["heads"]:
            print("\n".join(f"    {line}" for line in head.splitlines()))


def _history(settings: WitnessSettings, where: str) -> bytes:
    """What the file holds, or the log shows, of its keys.

    Raises:
        SetUpError: it cannot be read or fetched.
    """
    if "://" not in where:
        with Path(where).open("rb") as file:
            return file.read(key_history.MAX_BYTES + 1)
    try:
        with closing(HttpClient(where, ca=settings.ca and settings.path(settings.ca))) as client:
            answer = client.get(key_history.LOG_KEYS, key_history.MAX_BYTES)
    except NoAnswer:
        answer = None
    if answer is None or answer.status != OK:
        raise SetUpError(
            "该网址没有密钥历史（日志未换过密钥，或无法连接）。",
            "There is no history of keys at that address: the log has had one key, or cannot be reached.",
        )
    return answer.content


def _append(folder: Path, lines: list[str]) -> None:
    file = folder / FILE
    text = file.read_text("utf-8").rstrip("\n")
    file.write_text("\n".join([text, *lines, ""]), "utf-8")


def _checked(name: str, listen: str) -> WitnessSettings:
    try:
        return WitnessSettings(name=name, listen=listen)
    except ValueError:
        raise SetUpError(
            "名称不得为空，不得含空格或加号；监听地址须为 主机:端口。",
            "The name must not be empty, nor have spaces or plus signs; the address must read host:port.",
        ) from None


def _quoted(text: str) -> str:
    """A TOML string: JSON's are."""
    return orjson.dumps(text).decode()


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _listening(address: str) -> None:
    print(f"见证服务 / witness listens at {address}", flush=True)
