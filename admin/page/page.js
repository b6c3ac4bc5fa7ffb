// Every other second the page is fetched again, and its parts exchanged for the new ones, so that what is scrolled stays
// so. Nobody is asked while nobody looks, and nothing is exchanged while text in it is selected.
const parts = ['head', 'refused', 'graph', 'total', 'connections', 'records']

async function renew() {
  if (document.hidden || !getSelection().isCollapsed) return
  const answer = await fetch('/', { cache: 'no-store' })
  if (!answer.ok) throw new Error(answer.status)
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
  for (const id of parts) {
    document.getElementById(id).replaceChildren(...fresh.getElementById(id).childNodes)
  }
}

async function again() {
  const stale = document.getElementById('stale')
  try {
    await renew()
    stale.hidden = true
  } catch {
    stale.hidden = false
  }
  setTimeout(again, 2000)
}

setTimeout(again, 1100)
