#!/usr/bin/env python3
"""Grants across languages: a stock COSE library issues what the tool verifies, and verifies what the tool issues.

    docs/grants.py path/to/coachwork [folder]

Installs pycose in a virtual environment in the folder (a temporary one by default), and needs a network for that. It is no part of
the test command. The format is in docs/entitlement.md.
"""

import base64
import os
import subprocess
import sys
import tempfile
import time
import venv

DOMAIN = b"coachwork/grant/v1"
VEHICLE = b"a vehicle's name"


def inside(folder):
    """Continues in an environment that has pycose."""
    place = os.path.join(folder, "venv")
    python = os.path.join(place, "bin", "python")
    if not os.path.exists(python):
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "pycose==1.1.0", "cbor2<6"], check=True)
    os.environ["COACHWORK_GRANTS_FOLDER"] = folder
    os.execv(python, [python, *sys.argv])


def keys(folder, name, kind):
    with open(os.path.join(folder, "keys", f"{name}.{kind}"), encoding="ascii") as file:
        kid, key = file.read().split()
    return kid.encode(), bytes.fromhex(key)


def issue(secret, public, kid, claims):
    message = Sign1Message(
        phdr={Algorithm: EdDSA, KID: kid},
        payload=cbor2.dumps(claims, canonical=True),
        external_aad=DOMAIN,
    )
    message.key = OKPKey(crv=Ed25519, x=public, d=secret)
    return message.encode()


def verify(public, token):
    message = CoseMessage.decode(token)
    message.external_aad = DOMAIN
    message.key = OKPKey(crv=Ed25519, x=public)
    assert message.verify_signature(), "the signature does not hold"
    return cbor2.loads(message.payload)


def main(tool, folder):
    def coachwork(*arguments, fails=False):
        run = subprocess.run([tool, "grant", *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert (run.returncode != 0) == fails, run.stdout + run.stderr
        return run.stdout + run.stderr

    if not os.path.exists(os.path.join(folder, "keys")):
        coachwork("new-keys", "keys")
    kid, secret = keys(folder, "grants", "key")
    _, public = keys(folder, "grants", "pub")
    now = int(time.time())

    # Python issues, the tool verifies.
    small = {4: now + 86400, 6: now - 60, 7: b"order-17", -65537: {1: VEHICLE, 2: ["seat-heating"]}}
    place = {"status_list": {"idx": 7, "uri": "https://example.com/1"}}
    ours = {
        1: VEHICLE, 2: ["remote-start", "seat-heating"], 3: 2, 4: 1, 5: 259200, 6: 2, 7: 1814400,
        8: ["CH", "DE"], 9: "winter", 10: 4, 11: ["actuate:Vehicle.Cabin.**", "read"],
    }
    large = {4: now + 86400, 5: now - 30, 6: now - 60, 7: b"order-18", 65535: place, -65537: ours}
    for name, claims in (("small", small), ("large", large)):
        token = issue(secret, public, kid, claims)
        with open(os.path.join(folder, f"{name}.cose"), "wb") as file:
            file.write(token)
        print(coachwork("show", "--keys", "keys", f"{name}.cose").rstrip())
        print(coachwork("verify", "--keys", "keys", "--vehicle", VEHICLE.hex(), f"{name}.cose").rstrip())
    # A claim too many, and another purpose, are refused.
    for name, claims in (("more", {**small, 8: 1}), ("unsorted", {**small, -65537: {1: VEHICLE, 2: ["b", "a"]}})):
        with open(os.path.join(folder, f"{name}.cose"), "wb") as file:
            file.write(issue(secret, public, kid, claims))
        print(coachwork("show", "--keys", "keys", f"{name}.cose", fails=True).rstrip())

    # The tool issues, Python verifies.
    text = coachwork(
        "issue", "--keys", "keys", "--vehicle", VEHICLE.hex(), "--feature", "seat-heating", "--plan", "winter",
        "--days", "30", "--grace", "3", "--owner", "1", "--region", "DE", "--status", "https://example.com/1#7",
        "--offline", "21", "--scope", "read",
    ).strip()
    claims = verify(public, base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    print(claims)
    assert claims[-65537][1] == VEHICLE and claims[-65537][2] == ["seat-heating"]
    assert claims[65535]["status_list"] == {"idx": 7, "uri": "https://example.com/1"}
    # The two write the same bytes for the same claims.
    again = issue(secret, public, kid, claims)
    assert again == base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "other bytes"
    print("both ways, and the same bytes")


if __name__ == "__main__":
    FOLDER = os.environ.get("COACHWORK_GRANTS_FOLDER")
    if FOLDER is None:
        inside(os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else tempfile.mkdtemp())
    import cbor2
    from pycose.algorithms import EdDSA
    from pycose.headers import Algorithm, KID
    from pycose.keys import OKPKey
    from pycose.keys.curves import Ed25519
    from pycose.messages import CoseMessage, Sign1Message

    main(os.path.abspath(sys.argv[1]), FOLDER)
