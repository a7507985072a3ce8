(() => {
  'use strict';
  const live = document.getElementById('live'), status = document.getElementById('status');
  document.querySelectorAll('.script').forEach(e => { e.hidden = false; });
  let busy = false;
  async function refresh() {
    if (busy) return;
    busy = true;
    try {
      const res = await fetch(location.href, {headers: {Accept: 'text/html'}, cache: 'no-store'});
      const doc = new DOMParser().parseFromString(await res.text(), 'text/html');
      const fresh = doc.getElementById('main'), old = document.getElementById('main');
      if (!res.ok || !fresh) throw new Error(res.status);
      const focused = document.activeElement && document.activeElement.id;
      old.querySelectorAll('details[open]').forEach(d => { const f = doc.getElementById(d.id); if (f) f.open = true; });
      old.replaceWith(document.adoptNode(fresh));
      document.title = doc.title;
      document.querySelector('footer').replaceWith(document.adoptNode(doc.querySelector('footer')));
      if (focused) { const f = document.getElementById(focused); if (f) f.focus({preventScroll: true}); }
      status.textContent = '';
    } catch (e) {
      status.textContent = 'no answer';
    } finally {
      busy = false;
    }
  }
  document.addEventListener('click', e => {
    const a = e.target.closest('a[data-sort]');
    if (!a || e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    history.replaceState(null, '', a.href);
    refresh();
  });
  setInterval(() => { if (live.checked && !document.hidden && getSelection().isCollapsed) refresh(); }, 2000);
})();
