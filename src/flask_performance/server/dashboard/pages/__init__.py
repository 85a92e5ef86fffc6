"""The pages: each reads who asks, what is asked, and renders its panels."""
