# Asks the machine itself, as a visitor would: GET of a URL whose every name is this machine, or a connection to
# a port. Prints the status on the first line and the answer after it; a failure on one line, status 1.
import http.client, socket, ssl, sys, urllib.parse

def connect(port, seconds):
    problem = None
    for host in ("127.0.0.1", "::1"):
        try:
            return socket.create_connection((host, port), seconds)
        except OSError as error:
            problem = problem or error
    raise problem

def main(what, where, seconds):
    if what == "tcp":
        connect(int(where), seconds).close()
        return
    url = urllib.parse.urlsplit(where)
    secure = url.scheme == "https"
    port = url.port or (443 if secure else 80)
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    visitor = kind(url.hostname, port, timeout=seconds)
    there = connect(port, seconds)
    if secure:
        there = ssl.create_default_context().wrap_socket(there, server_hostname=url.hostname)
    visitor.sock = there
    path = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
    visitor.request("GET", path, headers={"User-Agent": "kiln", "Accept": "*/*"})
    answer = visitor.getresponse()
    body = answer.read(1 << 20)
    sys.stdout.write(f"{answer.status}\n")
    sys.stdout.flush()
    sys.stdout.buffer.write(body)

try:
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
except Exception as error:
    sys.stderr.write(f"{error}\n".replace("\n", " ").strip() + "\n")
    sys.exit(1)
