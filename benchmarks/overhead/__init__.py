"""What recording costs an app: ours beside bare Flask and the peers, in one interleaved run."""
