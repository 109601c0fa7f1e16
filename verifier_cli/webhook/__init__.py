"""The webhook: wires the verifier into pods as they are admitted."""
