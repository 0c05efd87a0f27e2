// The queue of the page "Judge": one item in sight, the next five at hand, what was said on its way to the server.
// A key acts at once; saving follows in order, survives a reload, and counts once whatever happens on the way.
mdr.judgeQueue = (() => {
  const { $, _, judgeReading: reading } = mdr;
  const AHEAD = 5;
  const AGAIN = 1500;  // milliseconds until a lost connection is tried again
  const SHELF = "mdr-judge-unsaved:";
  const PAST = "mdr-judge-past:";
  const TAB = "mdr-judge-tab";
  const REMEMBERED = 500;  // things to undo that survive a reload

  // One for each time that a campaign is opened; none: this is not the queue's page.
  let now = null;

  const tab = () => {
    if (!sessionStorage.getItem(TAB)) sessionStorage.setItem(TAB, mdr.identifier());
    return sessionStorage.getItem(TAB);
  };

  const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
  const held = () => [now.current, ...now.ahead].filter(Boolean);

  const wanted = (count) => ({
    campaign: now.campaign.campaign,
    judge: now.campaign.judge,
    tab: tab(),
    langs: now.langs,
    have: held().map((item) => item.item),
    count,
    source: now.source,
  });

  // -- beginning and ending --------------------------------------------------------------------------------

  const opened = (desk, campaign, langs, abilities, more) => {
    now = { desk, campaign, langs, abilities, source: "own", current: null, ahead: [], seen: new Map(), times: [], past: [], unsaved: 0, ...more };
    mdr.judge.show("work");
    $(".desk", desk).toggleAttribute("data-deciding", Boolean(now.deciding));
    placeholder(_("One moment …"));  // no key would reach an item of before
    return now;
  };

  const begin = async (desk, campaign, langs, abilities, source = "own") => {
    const past = JSON.parse(sessionStorage.getItem(PAST + campaign.judge + campaign.campaign) || "[]");
    const mine = opened(desk, campaign, langs, abilities, { source, past, own: { graded: 0, left: 0 } });
    resume();
    if (await refill(mine)) advance();
  };

  const settle = async (desk, campaign) => {
    const { items, left } = await mdr.judge.get("conflicts", { campaign: campaign.campaign });
    opened(desk, campaign, campaign.langs, {}, { deciding: true, own: { left, later: 0 }, share: left });
    arrived(items);
    advance();
  };

  const leave = () => { now = null; };

  // Get the next items and the judge's numbers; false: something else has begun meanwhile.
  const refill = async (mine) => {
    if (mine.filling) return false;
    mine.filling = true;
    let answer = null;
    while (now === mine && !answer) {
      answer = await next().catch((error) => placeholder(error.message));
      if (!answer) await pause(AGAIN);
    }
    mine.filling = false;
    if (now !== mine) return false;
    now.own = answer.own;
    now.share ??= answer.own.graded + answer.own.left;
    arrived(answer.items);
    status();
    return true;
  };

  const next = async () => {
    let response;
    try {
      response = await fetch("mdr/judge/next", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(wanted(AHEAD + 1 - now.ahead.length)),
      });
    } catch {
      throw new Error(_("No connection. What you judged is kept in this browser; trying again …"));
    }
    const answer = await response.json().catch(() => ({ problem: _("the server is busy"), remedy: _("trying again …") }));
    if (!response.ok) throw new Error(`${answer.problem}; ${answer.remedy}`);
    return answer;
  };

  const placeholder = (text) => {
    if (now && !now.current) $("[data-judge-item]", now.desk).replaceChildren(mdr.make("p", "judge-wait", text));
  };

  // Nothing is at hand: fetch more, and where there is no more, say so.
  const runOut = async (mine) => {
    placeholder(_("One moment …"));
    while (now === mine && (mine.unsaved || mine.filling)) await pause(20);  // what the server says next should count it
    if (now !== mine || now.current) return;
    if (!mine.deciding) {
      if (!now.ahead.length && !(await refill(mine))) return;
      if (now.current) return;  // by undoing, meanwhile
      if (now.ahead.length) {
        advance();
        return;
      }
    }
    mdr.judge.show("end");
    const { desk, deciding, own, campaign } = mine;
    const settled = own.later ? _("%(n)s left for later.", { n: own.later }) : _("Every disagreement is settled.");
    $("[data-judge-thanks]", desk).textContent = deciding ? settled : _("Thank you! You have judged %(n)s here.", { n: own.graded });
    for (const source of ["skipped", "others"]) $(`[data-judge-source=${source}]`, desk).hidden = deciding || !own[source];
    $(".judge-end h2", desk).focus();
    $("[data-judge-numbers]", desk).innerHTML = await mdr.judge.get("progress", { campaign: campaign.campaign });
  };

  // -- one item after another ------------------------------------------------------------------------------

  const arrived = (items) => {
    const here = new Set(held().map((item) => item.item));
    for (const item of items.filter((item) => !here.has(item.item))) {
      item.node = document.createRange().createContextualFragment(item.html).firstElementChild;
      now.seen.set(item.item, item);
      now.ahead.push(item);
    }
  };

  const advance = () => {
    now.current = now.ahead.shift() || null;
    if (now.current) present();
    else runOut(now);
  };

  const present = (before = "") => {
    const { current, desk } = now;
    const inside = $("[data-judge-item]", desk);
    const focused = inside.contains(document.activeElement) || document.activeElement === document.body;
    inside.replaceChildren(current.node);
    reading.begin();
    now.evidence = reading.evidence(current.node, desk);
    now.remark = null;
    Object.assign($("[data-judge-before]", desk), { hidden: !before, textContent: before });
    if (focused) current.node.focus({ preventScroll: true });
    if (matchMedia("(max-width: 640px)").matches) $(".judge-work", desk).scrollIntoView();
    else scrollTo({ top: 0 });
    status();
    mdr.announce(`${current.about}. ${before}`);
  };

  const status = () => {
    const { own, share, desk, deciding } = now;
    const left = Math.max(0, own.left);
    const words = deciding ? [_("%(n)s to settle", { n: left })] : [_("%(n)s judged", { n: own.graded }), _("%(n)s left for you", { n: left })];
    if (pace()) words.push(_("usually %(n)s s each", { n: Math.round(pace()) }));
    $("[data-judge-own]", desk).textContent = words.join(" · ");
    Object.assign($(".judge-done", desk), { max: share || 1, value: Math.max(0, (share || 0) - left) });
  };

  // The usual time lately: here, or else what the server knows from before.
  const pace = () => {
    const times = now.times.slice(-20).sort((a, b) => a - b);
    return times[Math.floor(times.length / 2)] ?? now.own.pace;
  };

  // -- saying ----------------------------------------------------------------------------------------------

  const HANDLED = { grade: 1, adjudicate: 1, skip: 0, "cannot-judge": 0 };  // and whether it counts as judged

  const count = (action, sign) => {
    if (!(action in HANDLED)) return;
    now.own.left -= sign;
    now.own.graded += sign * HANDLED[action];
  };

  const say = (action, said = {}) => {
    const { current } = now;
    const handled = action in HANDLED;
    const event = mdr.identifier();
    const seconds = reading.seconds();
    if (action === "grade") now.times.push(seconds);
    post({
      ...wanted(handled && !now.deciding ? Math.max(0, AHEAD + 1 - now.ahead.length) : 0),
      event,
      action,
      item: current.item,
      ability: now.abilities[current.lang] || null,
      seconds,
      evidence: now.evidence,
      ...said,
    });
    now.past.push({ event, item: current.item, action, grade: said.grade });
    remember();
    count(action, 1);
    if (handled) advance();
  };

  const post = (body) => {
    const mine = now;
    mine.unsaved += 1;
    mdr.save("mdr/judge/say", body, mine, (state, text, answer) => {
      // "done" comes once for all that was under way, and "refused" for each.
      if (state === "done") mine.unsaved = 0;
      if (state === "refused") mine.unsaved = Math.max(0, mine.unsaved - 1);
      if (now === mine) heard(state, text, answer || {});
    }, `${SHELF}${body.judge}:`);
  };

  const heard = (state, text, answer) => {
    tick(state, state === "waiting" ? _("%(text)s (%(n)s kept in this browser)", { text, n: now.unsaved }) : text);
    if (answer.items) arrived(answer.items);
    if ("back" in answer && now.returning) cameBack(answer.back, now.returning);
    if (state === "done" && !now.deciding && now.current && now.ahead.length < AHEAD - 2) refill(now);
  };

  const tick = (state, text) => {
    const saved = $("[data-judge-saved]", now.desk);
    saved.dataset.state = state;
    saved.textContent = text;
  };

  // What an earlier page could not send is sent by this one; also from the list of campaigns.
  const resume = () => {
    const mine = now;
    mine.unsaved += sendLeft(mine.campaign.judge, (state, text) => {
      if (state !== "waiting") mine.unsaved -= 1;
      if (now === mine) tick(state, text);
    });
    if (mine.unsaved) tick("saving", _("Sending %(n)s from before …", { n: mine.unsaved }));
  };

  const sendLeft = (judge, told) => mdr.resume(`${SHELF}${judge}:`, told);

  // -- undoing ---------------------------------------------------------------------------------------------

  const remember = () => {
    const { campaign, past } = now;
    sessionStorage.setItem(PAST + campaign.judge + campaign.campaign, JSON.stringify(past.slice(-REMEMBERED)));
  };

  // What this window remembers comes back at once; for the rest the server is asked.
  const undo = () => {
    const last = now.past.pop();
    remember();
    const seen = last && now.seen.get(last.item);
    now.returning = seen ? null : last || {};
    post({ ...wanted(0), event: mdr.identifier(), action: "undo", undoes: last?.event || null });
    if (seen) cameBack(seen, last);
  };

  const GAVE = { skip: _("You had skipped this."), "cannot-judge": _("You had said that this cannot be judged."), note: _("Your note is taken back.") };

  const cameBack = (item, last) => {
    now.returning = null;
    if (!item) {
      tick("done", _("nothing to take back"));
      return;
    }
    const others = held().filter((other) => other.item !== item.item);
    Object.assign(now, { current: null, ahead: [] });
    arrived([item]);
    now.ahead.push(...others);
    count(last.action, -1);
    mdr.judge.show("work");
    now.current = now.ahead.shift();
    present(Number.isInteger(last.grade) ? _("You had given %(grade)s.", { grade: last.grade }) : GAVE[last.action] || _("Taken back."));
  };

  // -- keys ------------------------------------------------------------------------------------------------

  const grade = (value) => say(now.deciding ? "adjudicate" : "grade", { grade: value, note: now.remark });

  const cannot = async () => {
    const reason = await mdr.judge.ask("reason");
    if (reason && now?.current) say("cannot-judge", { note: reason });
  };

  // Who decides says it with the decision.
  const note = async () => {
    const words = await mdr.judge.ask("note");
    if (!words || !now?.current) return;
    if (now.deciding) now.remark = words;
    else say("note", { note: words });
  };

  const skip = () => {
    if (!now.deciding) {
      say("skip");
      return;
    }
    now.own.later += 1;
    count("skip", 1);
    advance();
  };

  const evidence = () => {
    if (now.campaign.blind) {
      mdr.announce(_("This campaign hides what the systems said."), true);
      return;
    }
    reading.toggle();
    now.evidence = reading.evidence(now.current.node, now.desk) || now.evidence;
    $(".evidence", now.current.node).scrollIntoView({ block: "nearest" });
  };

  const DO = {
    u: undo,
    s: skip,
    x: () => now.deciding || cannot(),
    n: note,
    t: () => reading.twin(now.current.node, now.abilities),
    h: evidence,
    "?": () => mdr.judge.ask("help"),
  };

  // Whether the queue hears a key: it is in sight, and no dialog is over it.
  const hears = (key) => {
    const desk = mdr.judge.desk();
    if (!now || !desk || desk.hidden || $("dialog[open]")) return false;
    const mode = $(".desk", desk)?.dataset.mode;
    return now.current && mode === "work" ? true : mode !== "languages" && "u?".includes(key);
  };

  // A key that is held down counts once.
  const onKey = (key, act, mine = () => true) => mdr.onKey(key, (event) => {
    if (!hears(key) || !mine()) return false;
    if (!event.repeat) act();
    return true;
  });
  for (const [key, act] of Object.entries(DO)) onKey(key, act);
  for (const value of [0, 1, 2, 3]) onKey(String(value), () => grade(value), () => now.campaign.grades.includes(value));

  mdr.actions.push(
    ["[data-judge-grade]", (button) => hears(button.dataset.judgeGrade) && grade(Number(button.dataset.judgeGrade))],
    ["[data-judge-do]", (button) => hears(button.dataset.judgeDo) && DO[button.dataset.judgeDo]()],
    ["[data-judge-source]", (button) => begin(now.desk, now.campaign, now.langs, now.abilities, button.dataset.judgeSource)],
  );

  return { begin, settle, leave, sendLeft };
})();
