//! Quanto um processo gasta, como o núcleo conta: o tempo de CPU de cada thread, em nanossegundos, e a
//! memória residente. Inclui os filhos (o PostgreSQL tem um por conexão). Só Linux.

use std::fs;
use std::time::Duration;

/// CPU já gasta, em modo usuário e no núcleo, por todas as threads vivas do processo `pid` e dos filhos.
pub fn cpu(pid: u32) -> Duration {
    familia(pid).into_iter().flat_map(threads).map(|thread| cpu_da_thread(&thread)).sum()
}

/// Bytes residentes do processo `pid` e dos filhos.
pub fn memoria(pid: u32) -> u64 {
    familia(pid).into_iter().map(residente).sum()
}

/// A CPU que esta thread já gastou: a do gerador.
pub fn cpu_desta_thread() -> Duration {
    cpu_da_thread("/proc/thread-self")
}

/// O processo e os descendentes dele.
fn familia(pid: u32) -> Vec<u32> {
    let processos = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parentescos: Vec<(u32, u32)> = processos
        .filter_map(|pasta| pasta.file_name().to_str()?.parse().ok())
        .filter_map(|filho| Some((pai(filho)?, filho)))
        .collect();
    let mut familia = vec![pid];
    let mut visto = 0;
    while let Some(membro) = familia.get(visto).copied() {
        visto += 1;
        familia.extend(parentescos.iter().filter(|(pai, _)| *pai == membro).map(|(_, f)| *f));
    }
    familia
}

fn pai(pid: u32) -> Option<u32> {
    let estado = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // O nome vem entre parênteses e pode ter de tudo; depois dele, o estado e o pai.
    estado.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn threads(pid: u32) -> impl Iterator<Item = String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.filter_map(|pasta| pasta.path().to_str().map(String::from))
}

/// O primeiro número do `schedstat` são os nanossegundos em que a thread rodou: exato, e não em
/// centésimos como os do `stat`.
fn cpu_da_thread(thread: &str) -> Duration {
    let contas = fs::read_to_string(format!("{thread}/schedstat")).unwrap_or_default();
    let nanos = contas.split(' ').next().and_then(|numero| numero.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// O `smaps_rollup` percorre as páginas; o `VmRSS` é um contador que o núcleo deixa atrasar.
fn residente(pid: u32) -> u64 {
    let mapas = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let linha = mapas.lines().find_map(|linha| linha.strip_prefix("Rss:"));
    let kib = linha.and_then(|resto| resto.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
