"""What a failed attempt is called: in the words a DocSpace receiver finds in `lastFailureContent`, and for counting."""

from __future__ import annotations

CLASSES = {
    "DNS:": "dns",
    "TLS:": "tls",
    "certificate:": "tls",
    "cannot connect": "connect",
    "address ": "refused",
    "the target did not answer within": "timeout",
    "the target": "broken",
    "the headers of the answer": "broken",
}
"""How reasons begin where there was no answer, and what is counted; the first that fits. Any other is `ours`."""
ANSWERS = ("3xx", "4xx", "5xx", *dict.fromkeys(CLASSES.values()), "ours")
"""What may come back of an attempt that fails, but for statuses that do not exist."""

PHRASES: dict[int, str] = {
    100: "Continue",
    101: "Switching Protocols",
    102: "Processing",
    103: "Early Hints",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    305: "Use Proxy",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    414: "Request-Uri Too Long",
    415: "Unsupported Media Type",
    416: "Requested Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    422: "Unprocessable Entity",
    423: "Locked",
    424: "Failed Dependency",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "Http Version Not Supported",
    506: "Variant Also Negotiates",
    507: "Insufficient Storage",
    508: "Loop Detected",
    510: "Not Extended",
    511: "Network Authentication Required",
}
"""As .NET names them; Python's own names differ from these, and from one Python to the next."""


def failure_text(status: int) -> str:
    """The reason of an attempt that was answered with *status*, which is not a 2xx."""
    phrase = PHRASES.get(status)
    return f"Response status code does not indicate success: {status}{f' ({phrase})' if phrase else ''}."


def answer_class(status: int | None, reason: str) -> str:
    """What came back of an attempt, as one of few: `5xx` of any status, else why there was none."""
    if status is not None:
        return f"{status // 100}xx"
    return next((kind for begins, kind in CLASSES.items() if reason.startswith(begins)), "ours")
