"""What an operator does to a data folder, while `serve` works on it and while it does not.

```
commands ─ control ─┬─ socket in the folder ─▶ control thread of `serve` ─┐
                    └─ nothing serves: in this process ───────────────────┴─▶ tasks
```

`backup` and `restore` deal with the one file that a backup is; `budget` keeps the folder within its
size, `room` looks at what the disk has left.
"""
