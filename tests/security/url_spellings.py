"""URLs that lead, in one program or another, to an IP address, or that make two programs disagree about their host."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote

from tests.security.special_ranges import embeddings

FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")  # noqa: RUF001 - the spelling is the attack
CIRCLED = str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")


def spellings(address: str, allowed: str) -> dict[str, str]:
    """URLs by what is special about them. allowed: a host that the settings allow."""
    parsed = ip_address(address)
    hosts = _ipv4(parsed) if isinstance(parsed, IPv4Address) else _ipv6(parsed)
    plain = address if isinstance(parsed, IPv4Address) else f"[{address}]"
    return {**{how: f"https://{host}/dog.jpg" for how, host in hosts.items()}, **_confusing(plain, allowed)}


def _ipv4(address: IPv4Address) -> dict[str, str]:
    text, number, parts = str(address), int(address), str(address).split(".")
    a, b, c, d = (int(part) for part in parts)
    return {
        "dotted": text,
        "decimal": str(number),
        "hexadecimal": hex(number),
        "hexadecimal in capitals": hex(number).upper(),
        "octal": f"0{number:o}",
        "dotted octal": ".".join(f"0{int(part):o}" for part in parts),
        "dotted hexadecimal": ".".join(hex(int(part)) for part in parts),
        "leading zeros": ".".join(part.zfill(3) for part in parts),
        "many leading zeros": ".".join(part.zfill(12) for part in parts),
        "two parts": f"{a}.{number & 0xFFFFFF}",
        "three parts": f"{a}.{b}.{number & 0xFFFF}",
        "short": f"{a}.{d}",
        "mixed bases": f"{hex(a)}.0{b:o}.{c}.{d}",
        "overflow": str(number + (1 << 32)),
        "dot at the end": f"{text}.",
        "two dots": text.replace(".", "..", 1),
        "full width": text.translate(FULL_WIDTH),
        "circled": text.translate(CIRCLED),
        "ideographic full stop": text.replace(".", "\u3002"),
        "percent-encoded": "".join(f"%{ord(character):02x}" for character in text),
        "percent-encoded dots": text.replace(".", "%2e"),
        "brackets": f"[{text}]",
        "soft hyphen": text.replace(".", "\u00ad.", 1),
        "tab": text.replace(".", "\t.", 1),
        "line break": text.replace(".", "\n.", 1),
        "NUL": f"{text}\x00",
        "space": f"{text} ",
        **{f"IPv6, {how}": f"[{embedded}]" for how, embedded in embeddings(text).items()},
        "IPv6, mapped and dotted": f"[::ffff:{text}]",
        "IPv6, compatible and dotted": f"[::{text}]",
    }


def _ipv6(address: IPv6Address) -> dict[str, str]:
    text = str(address)
    return {
        "short": f"[{text}]",
        "long": f"[{address.exploded}]",
        "capitals": f"[{text.upper()}]",
        "zone": f"[{text}%25lo]",
        "zone, not encoded": f"[{text}%lo]",
        "without brackets": text,
        "one bracket": f"[{text}",
        "percent-encoded": f"[{quote(text, safe='')}]",
        "percent-encoded brackets": f"%5b{text}%5d",
        "dot at the end": f"[{text}].",
        "dashes": f"{address.exploded.replace(':', '-')}",
        "full width": f"[{text.translate(FULL_WIDTH)}]",
        "letters after": f"[{text}]a",
        "dotted end": f"[{address.exploded[:29]}:{IPv4Address(int(address) & 0xFFFFFFFF)}]",
    }


def _confusing(address: str, allowed: str) -> dict[str, str]:
    """URLs of two hosts: what one program reads as the host is for another one a user, a path or a fragment."""
    return {
        "user": f"https://{allowed}@{address}/",
        "user and password": f"https://{allowed}:443@{address}/",
        "two at signs": f"https://x@{address}@{allowed}/",
        "backslash, then at sign": f"https://{allowed}\\@{address}/",
        "at sign, then backslash": f"https://{address}\\@{allowed}/",
        "backslashes": f"https:\\\\{address}\\",
        "encoded at sign": f"https://{allowed}%40{address}/",
        "encoded slash": f"https://{address}%2f.{allowed}/",
        "encoded NUL": f"https://{address}%00.{allowed}/",
        "encoded hash": f"https://{address}%23.{allowed}/",
        "NUL before the allowed host": f"https://{address}\x00.{allowed}/",
        "line break before the allowed host": f"https://{address}\n.{allowed}/",
        "space before the allowed host": f"https://{address} {allowed}/",
        "semicolon": f"https://{address};{allowed}/",
        "comma": f"https://{address},{allowed}/",
        "port": f"https://{address}:443/",
        "port of the runtime API": f"https://{address}:9001/",
        "port 80": f"https://{allowed}:80@{address}:80/",
        "http": f"http://{address}/",
        "no scheme": f"//{address}/",
        "one slash": f"https:/{address}/",
        "three slashes": f"https:///{address}/",
        "no slash": f"https:{address}",
        "space before the scheme": f" https://{address}/",
        "tab in the scheme": f"ht\ttps://{address}/",
        "ftp": f"ftp://{address}/",
        "gopher": f"gopher://{address}:9001/_GET",
        "file": f"file://{address}/etc/passwd",
        "dict": f"dict://{address}:9001/x",
        "jar": f"jar:https://{address}!/",
        "view-source": f"view-source:https://{address}/",
        "header": f"https://{address}/\r\nHost: {allowed}\r\n\r\n",
    }
