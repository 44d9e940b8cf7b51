"""Bad webhooks without end, through the front and the application: none is taken, none breaks it.

    python -m tests.fuzz_webhooks COUNT [--seed N] [--wire SHARE]

Each delivery is one that was recorded of LiveKit, or one that VideoSDK would sign, and then
spoiled: its body, its token or signature, its headers. Whether it still holds as it was signed
(`Delivery.good`) is found by rules that share no code with the service.
"""
