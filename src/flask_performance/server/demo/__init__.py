"""The demo: the platform, an example shop that it watches, and visitors. Only real requests.

```
 command.py ─┬─ `flask-performance serve`   a process of its own, as anybody runs it
             ├─ shop/                        a Flask app with our extension, two worker processes
             └─ traffic.py                   visitors over loopback HTTP
```

`account.py` makes the login and the project through the public commands, once per data folder;
`processes.py` starts the three and ends them in the order in which nothing is lost.
"""
