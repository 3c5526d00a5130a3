"""What an issuer's own service answers to a hub: does this card have a token, and is this code right. Owns `card_questions`.

Words: a *hub* is known by its pinned certificate; a *question* is about one card, and is remembered by the *UserId* that the hub
will name when it brings the code. The answers are those of `issuing.port`, seen from the other side. Below: cardholding, devices,
sca's engine, issuing, notify, access, kit.
"""
