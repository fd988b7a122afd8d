//! O que o sistema sabe dos processos: quem descende de quem, quanto processador gastaram, quem escuta em
//! que porta. Lê `/proc`; onde ele não há, tudo volta vazio, e quem pergunta se cala. Não manda sinais.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use protocolo::mensagem::visivel;

use crate::sistema;

/// Quanto de um comando se mostra.
const COMANDO_MAXIMO: usize = 80;

/// O que interessa de um processo.
struct Processo {
    pid: i32,
    pai: i32,
    /// Em tiques do relógio do sistema.
    gastou: u64,
}

/// Quem escuta em uma porta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dono {
    /// O número do processo.
    pub pid: u32,
    /// O comando dele, curto e sem sequências de controle.
    pub comando: String,
}

/// Os processos que descendem deste, sem ele.
pub fn descendentes(raiz: i32) -> Vec<i32> {
    arvore(raiz).into_iter().map(|processo| processo.pid).collect()
}

/// Quanto processador os descendentes deste já gastaram; `None` se não se sabe, ou não há nenhum.
pub fn processador(raiz: i32) -> Option<Duration> {
    let arvore = arvore(raiz);
    let tiques: u64 = arvore.iter().map(|processo| processo.gastou).sum();
    let segundos = tiques as f64 / sistema::tiques_por_segundo();
    (!arvore.is_empty()).then(|| Duration::from_secs_f64(segundos))
}

/// Quanta memória os descendentes deste ocupam agora, somados, em bytes.
pub fn memoria(raiz: i32) -> u64 {
    descendentes(raiz).into_iter().filter_map(|pid| kib(pid, "status", "VmRSS:")).sum::<u64>()
        * 1024
}

/// O mesmo, com o que vários dividem contado uma vez: custa mais a saber.
pub fn memoria_dividida(raiz: i32) -> u64 {
    descendentes(raiz).into_iter().filter_map(|pid| kib(pid, "smaps_rollup", "Pss:")).sum::<u64>()
        * 1024
}

/// Uma medida que o sistema dá em KiB.
fn kib(pid: i32, arquivo: &str, medida: &str) -> Option<u64> {
    let texto = fs::read_to_string(format!("/proc/{pid}/{arquivo}")).ok()?;
    let linha = texto.lines().find_map(|linha| linha.strip_prefix(medida))?.trim();
    linha.strip_suffix("kB")?.trim().parse().ok()
}

fn arvore(raiz: i32) -> Vec<Processo> {
    let mut filhos: HashMap<i32, Vec<Processo>> = HashMap::new();
    for processo in pids().filter_map(|pid| ler_processo(&pid)) {
        filhos.entry(processo.pai).or_default().push(processo);
    }
    let mut arvore = Vec::new();
    let mut por_ver = vec![raiz];
    while let Some(pai) = por_ver.pop() {
        let dele = filhos.remove(&pai).unwrap_or_default();
        por_ver.extend(dele.iter().map(|processo| processo.pid));
        arvore.extend(dele);
    }
    arvore
}

fn pids() -> impl Iterator<Item = String> {
    let entradas = fs::read_dir("/proc").into_iter().flatten().flatten();
    let nomes = entradas.filter_map(|entrada| entrada.file_name().into_string().ok());
    nomes.filter(|nome| nome.bytes().all(|letra| letra.is_ascii_digit()))
}

fn ler_processo(pid: &str) -> Option<Processo> {
    let estado = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // O nome, entre parênteses, pode ter espaços e outros parênteses; o que interessa vem depois dele.
    let campos: Vec<&str> = estado.rsplit_once(')')?.1.split_whitespace().collect();
    let tiques = |campo: usize| campos.get(campo)?.parse::<u64>().ok();
    Some(Processo {
        pid: pid.parse().ok()?,
        pai: campos.get(1)?.parse().ok()?,
        gastou: tiques(11)? + tiques(12)?,
    })
}

/// Onde os descendentes deste escutam.
pub fn escutas(raiz: i32) -> Vec<SocketAddr> {
    let pids = descendentes(raiz).into_iter();
    let deles: HashSet<u64> = pids.flat_map(|pid| sockets(&pid.to_string())).collect();
    let escutas = todas_as_escutas().into_iter();
    escutas.filter(|(_, socket)| deles.contains(socket)).map(|(endereco, _)| endereco).collect()
}

/// Quem escuta nesta porta; `None` se não se sabe (os processos de outro usuário não se veem).
pub fn dono(porta: u16) -> Option<Dono> {
    let escutas = todas_as_escutas().into_iter();
    let dela: HashSet<u64> = escutas
        .filter(|(endereco, _)| endereco.port() == porta)
        .map(|(_, socket)| socket)
        .collect();
    let pid = pids().find(|pid| sockets(pid).iter().any(|socket| dela.contains(socket)))?;
    let comando = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(Dono { pid: pid.parse().ok()?, comando: comando_curto(&comando) })
}

/// O comando como se digita, e do programa só o nome.
fn comando_curto(cru: &[u8]) -> String {
    let texto = String::from_utf8_lossy(cru);
    let (programa, argumentos) = texto.split_once('\0').unwrap_or((&texto, ""));
    let programa = programa.rsplit('/').next().unwrap_or_default();
    let inteiro = format!("{programa} {}", argumentos.replace('\0', " "));
    visivel(&inteiro.trim().chars().take(COMANDO_MAXIMO).collect::<String>())
}

/// Os sockets que um processo tem abertos.
fn sockets(pid: &str) -> Vec<u64> {
    let abertos = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let alvos = abertos.filter_map(|aberto| fs::read_link(aberto.path()).ok());
    let numero = |alvo: &str| alvo.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
    alvos.filter_map(|alvo| numero(alvo.to_str()?)).collect()
}

fn todas_as_escutas() -> Vec<(SocketAddr, u64)> {
    let tabelas = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    tabelas.iter().flatten().flat_map(|tabela| tabela.lines().filter_map(ler_escuta)).collect()
}

/// Uma linha de `/proc/net/tcp`, se é de quem escuta: o endereço e o número do socket.
fn ler_escuta(linha: &str) -> Option<(SocketAddr, u64)> {
    const ESCUTA: &str = "0A";
    let campos: Vec<&str> = linha.split_whitespace().collect();
    if *campos.get(3)? != ESCUTA {
        return None;
    }
    let (ip, porta) = campos.get(1)?.split_once(':')?;
    // Cada quatro bytes são um inteiro da máquina.
    let mut octetos = Vec::new();
    for inteiro in ip.as_bytes().chunks(8) {
        let inteiro = u32::from_str_radix(str::from_utf8(inteiro).ok()?, 16).ok()?;
        octetos.extend(inteiro.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(octetos.as_slice()) {
        Ok(quatro) => IpAddr::from(Ipv4Addr::from(quatro)),
        Err(_) => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(octetos.as_slice()).ok()?)),
    };
    let porta = u16::from_str_radix(porta, 16).ok()?;
    Some((SocketAddr::new(ip, porta), campos.get(9)?.parse().ok()?))
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn uma_linha_da_tabela_diz_onde_se_escuta() {
        let fim = "00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000 100 0 0 10 0";
        for (endereco, dito) in [
            ("0100007F:303A 00000000:0000 0A", Some("127.0.0.1:12346")),
            ("00000000:0050 00000000:0000 0A", Some("0.0.0.0:80")),
            ("0100007F:303A 0100007F:C001 01", None),
            (
                "00000000000000000000000001000000:303A 00000000000000000000000000000000:0000 0A",
                Some("[::1]:12346"),
            ),
            ("nada:303A 00000000:0000 0A", None),
        ] {
            let lida = ler_escuta(&format!("   0: {endereco} {fim}"));
            assert_eq!(lida, dito.map(|texto| (texto.parse().unwrap(), 12345)), "{endereco}");
        }
        assert_eq!(ler_escuta("  sl  local_address rem_address   st tx_queue"), None);
    }

    #[test]
    fn do_comando_se_mostra_o_que_se_digita() {
        for (cru, curto) in [
            ("/usr/bin/python3\0servidor.py\0", "python3 servidor.py"),
            ("servidor", "servidor"),
            ("/x/a\x1b[2J\0", r"a\u{1b}[2J"),
            ("", ""),
        ] {
            assert_eq!(comando_curto(cru.as_bytes()), curto);
        }
        assert_eq!(comando_curto("x".repeat(500).as_bytes()).len(), COMANDO_MAXIMO);
    }

    #[test]
    fn este_processo_escuta_onde_abriu_e_descende_do_pai() {
        let porta = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let este = std::process::id().cast_signed();
        let Some(pai) = ler_processo("self").map(|processo| processo.pai) else {
            println!("sem /proc: teste pulado");
            return;
        };
        assert!(descendentes(pai).contains(&este));
        assert!(processador(pai).is_some());
        assert_eq!(dono(porta.port()), None, "já fechada");
        let porta = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endereco = porta.local_addr().unwrap();
        assert_eq!(dono(endereco.port()).unwrap().pid, std::process::id());
        assert!(escutas(pai).contains(&endereco));
        assert_eq!(descendentes(este), Vec::<i32>::new());
    }
}
