// SPDX-License-Identifier: Apache-2.0
/** The page's style: no font, picture or script from anywhere. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fbfbf9; --panel: #ffffff; --ink: #1c2126; --quiet: #59636e; --line: #d5dade;
  --good: #0a6b3d; --bad: #b3261e;
  --encrypted: #0a6b3d; --encrypted-ground: #dcf1e4;
  --authenticated: #0b5cad; --authenticated-ground: #dfecf9;
  --clear: #9a4b00; --clear-ground: #fbe8d3;
  --outside: #eceff1; --event: #eceff1; --free: #c9cfd4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14181c; --panel: #1c2227; --ink: #e7eaec; --quiet: #a3adb6; --line: #38424b;
    --good: #6fd69c; --bad: #ff9a92;
    --encrypted: #6fd69c; --encrypted-ground: #17392a;
    --authenticated: #85bdf5; --authenticated-ground: #16324d;
    --clear: #ffb877; --clear-ground: #452c12;
    --outside: #2a3238; --event: #262e34; --free: #4a555e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main, header.top { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
header.top { padding-top: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p { margin: .3rem 0 .7rem; max-width: 60rem; }
.quiet { color: var(--quiet); }
code, .mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .88em; overflow-wrap: anywhere; }
a { color: inherit; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .7rem;
  margin: 1rem 0; padding: 0; list-style: none; }
.tiles li { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.tiles strong { display: block; font-size: 1.45rem; line-height: 1.2; }
.tiles .bad strong { color: var(--bad); }
.tiles .good strong { color: var(--good); }
.scroll { overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: .5rem;
  margin: .5rem 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; padding: .5rem .7rem .2rem; color: var(--quiet); }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-weight: 600; color: var(--quiet); white-space: nowrap; }
tbody th { font-weight: 600; }
td code { white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.verdict { font-weight: 600; white-space: nowrap; }
.good.verdict { color: var(--good); }
.bad.verdict { color: var(--bad); }
tr.failed { background: color-mix(in srgb, var(--bad) 12%, transparent); }
.cover { display: inline-block; border-radius: .3rem; padding: 0 .4rem; white-space: nowrap; font-weight: 600; }
.encrypted { --cover: var(--encrypted); --cover-ground: var(--encrypted-ground); }
.authenticated { --cover: var(--authenticated); --cover-ground: var(--authenticated-ground); }
.clear { --cover: var(--clear); --cover-ground: var(--clear-ground); }
.outside { --cover: var(--quiet); --cover-ground: var(--outside); }
.cover { color: var(--cover); background: var(--cover-ground); }
.way { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: .6rem; padding: 0; margin: .4rem 0 1rem;
  list-style: none; }
.way > li { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .5rem; min-width: 0; }
.way ol { list-style: none; margin: .3rem 0 0; padding: 0; }
.way ol li { background: var(--cover-ground); border-left: .3rem solid var(--cover); padding: .15rem .5rem;
  margin-top: 2px; font-size: .85rem; overflow-wrap: anywhere; }
.way ol li b { color: var(--cover); }
.way ol li .bytes { float: right; font-variant-numeric: tabular-nums; }
figure { margin: .5rem 0 1rem; background: var(--panel); border: 1px solid var(--line); border-radius: .5rem;
  padding: .5rem; }
figure .picture { overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 44rem; height: auto; }
figcaption { color: var(--quiet); font-size: .92rem; padding: .2rem .3rem; }
svg text { fill: var(--ink); font-family: inherit; font-size: 13px; }
svg .small { font-size: 11px; fill: var(--quiet); }
svg .box { fill: var(--panel); stroke: var(--quiet); }
svg .provider { fill: none; stroke: var(--line); stroke-width: 2; stroke-dasharray: 6 4; }
svg .link { stroke: var(--free); stroke-width: 2; fill: none; }
svg .foe { stroke: var(--bad); stroke-width: 2; }
svg .foe-text { fill: var(--bad); }
svg .vpn { fill: none; stroke: var(--cover); stroke-width: 3.5; }
svg .vpn-text { fill: var(--cover); font-weight: 700; }
svg .authenticated.vpn { stroke-dasharray: 9 4; }
svg .clear.vpn { stroke-dasharray: 2 5; stroke-linecap: round; }
svg .event { fill: var(--event); }
svg .fine { fill: var(--encrypted); opacity: .75; }
svg .lost { fill: var(--bad); }
svg .axis { stroke: var(--line); }
details summary { cursor: pointer; }
@media (max-width: 52rem) { .way { grid-template-columns: minmax(0, 1fr); } }
@media print { .scroll { overflow: visible; } }
`;
