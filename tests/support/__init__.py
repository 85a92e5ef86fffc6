"""What tests of several rooms share: real processes on free ports, and ways to wait for them."""
