import { expect, test } from "vitest";
import { keepSearch } from "../src/search";

const PAGE = "http://localhost:3000/projects/1";

function shown(href: string): { links: (string | null)[]; live: string | null | undefined } {
  document.body.innerHTML = `<div id="page"><a href="/projects/1?range=1h&q=old">1 h</a>
    <a href="/projects/1/requests?range=1h">Requests</a><live-stream src="/projects/1/live?"></live-stream></div>`;
  keepSearch(document, href);
  return {
    links: [...document.querySelectorAll("a")].map((link) => link.getAttribute("href")),
    live: document.querySelector("live-stream")?.getAttribute("src"),
  };
}

test("links to the same page and the live stream follow the search", () => {
  const { links, live } = shown(`${PAGE}?q=new+word`);
  expect(links).toEqual(["/projects/1?range=1h&q=new+word", "/projects/1/requests?range=1h"]);
  expect(live).toBe("/projects/1/live?q=new+word");
});

test("a search that was emptied is taken from them", () => {
  const { links, live } = shown(PAGE);
  expect(links[0]).toBe("/projects/1?range=1h");
  expect(live).toBe("/projects/1/live?");
});
