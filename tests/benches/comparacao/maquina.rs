//! Em que máquina e quando se mediu: sem isto um número não quer dizer nada.

use std::fs;
use std::thread;
use std::time::SystemTime;

/// A máquina e o dia.
#[derive(Debug)]
pub struct Maquina {
    /// O modelo do processador.
    pub processador: String,
    /// Quantos núcleos.
    pub nucleos: usize,
    /// A versão do Linux.
    pub nucleo: String,
    /// O dia (UTC).
    pub dia: String,
    /// A carga média do último minuto, antes de começar: os outros programas.
    pub carga: String,
}

impl Maquina {
    /// Esta, hoje.
    pub fn esta() -> Self {
        let ler = |caminho| fs::read_to_string(caminho).unwrap_or_default();
        let processador = ler("/proc/cpuinfo")
            .lines()
            .find_map(|linha| Some(linha.strip_prefix("model name")?.split_once(": ")?.1.into()));
        let carga = ler("/proc/loadavg");
        let hoje = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Maquina {
            processador: processador.unwrap_or_else(|| "processador desconhecido".into()),
            nucleos: thread::available_parallelism().map_or(1, usize::from),
            nucleo: ler("/proc/sys/kernel/osrelease").trim().into(),
            dia: hoje.chars().take(10).collect(),
            carga: carga.split(' ').next().unwrap_or_default().replace('.', ","),
        }
    }

    /// Tudo, em uma linha.
    pub fn descrever(&self) -> String {
        let Maquina { processador, nucleos, nucleo, dia, .. } = self;
        format!("{processador}, {nucleos} núcleos, Linux {nucleo}, {dia}")
    }
}
