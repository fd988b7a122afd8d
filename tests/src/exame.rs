//! O que o Linux sabe de um processo: memória, descritores, processador.
//!
//! Só olha (e aperta o limite de descritores, que é como se faz faltar um); quem julga é o teste.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// Um processo visto de fora, pelo `/proc`.
#[derive(Debug, Clone)]
pub struct Exame {
    pid: Pid,
    pasta: PathBuf,
}

impl Exame {
    /// O exame do processo `pid`.
    pub fn de(pid: Pid) -> Self {
        Exame { pid, pasta: PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero())) }
    }

    /// Bytes na memória agora.
    pub fn memoria(&self) -> u64 {
        self.linha_do_status("VmRSS:")
    }

    /// O máximo de bytes na memória desde [`zerar_pico`](Self::zerar_pico).
    pub fn pico(&self) -> u64 {
        self.linha_do_status("VmHWM:")
    }

    /// O pico volta a ser o que há agora.
    ///
    /// # Panics
    ///
    /// O processo não é nosso.
    pub fn zerar_pico(&self) {
        fs::write(self.pasta.join("clear_refs"), "5").unwrap();
    }

    /// Quantos descritores estão abertos.
    ///
    /// # Panics
    ///
    /// O processo terminou.
    pub fn descritores(&self) -> usize {
        fs::read_dir(self.pasta.join("fd")).unwrap().count()
    }

    /// O maior número de descritor aberto: o limite do sistema é sobre ele, e pode haver buracos abaixo.
    ///
    /// # Panics
    ///
    /// O processo terminou.
    pub fn maior_descritor(&self) -> usize {
        let numero = |entrada: fs::DirEntry| entrada.file_name().to_str()?.parse().ok();
        let abertos = fs::read_dir(self.pasta.join("fd")).unwrap();
        abertos.filter_map(|entrada| numero(entrada.unwrap())).max().unwrap()
    }

    /// O número que o próximo descritor terá: como limite, nenhum mais se abre.
    ///
    /// # Panics
    ///
    /// O processo terminou.
    pub fn menor_livre(&self) -> u64 {
        let aberto =
            |numero: &u64| self.pasta.join(format!("fd/{numero}")).symlink_metadata().is_ok();
        (0..).find(|numero| !aberto(numero)).unwrap()
    }

    /// Quanto processador já gastou, dele e do sistema por ele. A resolução é de 10 ms.
    ///
    /// # Panics
    ///
    /// O processo terminou.
    pub fn processador(&self) -> Duration {
        let stat = fs::read_to_string(self.pasta.join("stat")).unwrap();
        // Os campos 14 e 15 do proc(5); o segundo, o nome, pode ter espaços, e acaba no parêntese.
        let (_, depois_do_nome) = stat.rsplit_once(") ").unwrap();
        let campos = depois_do_nome.split(' ').skip(11).take(2);
        let batidas: u64 = campos.map(|campo| campo.parse::<u64>().unwrap()).sum();
        Duration::from_secs(1) * batidas as u32 / clock_ticks_per_second() as u32
    }

    /// Muda o limite de descritores do processo em execução; diz o que valia.
    ///
    /// # Panics
    ///
    /// O processo não é nosso.
    pub fn limitar_descritores(&self, limite: u64) -> u64 {
        let teto = getrlimit(Resource::Nofile).maximum;
        let novo = Rlimit { current: Some(limite), maximum: teto };
        prlimit(Some(self.pid), Resource::Nofile, novo).unwrap().current.unwrap_or(u64::MAX)
    }

    /// Quantas vezes a thread principal dormiu à espera de alguma coisa. Se aumentou, ela acordou, fez o que
    /// tinha a fazer e voltou a dormir.
    ///
    /// # Panics
    ///
    /// O processo terminou.
    pub fn vezes_que_dormiu(&self) -> u64 {
        let status = fs::read_to_string(self.pasta.join("status")).unwrap();
        let mut linhas = status.lines();
        let vezes = linhas.find_map(|linha| linha.strip_prefix("voluntary_ctxt_switches:"));
        vezes.unwrap().trim().parse().unwrap()
    }

    fn linha_do_status(&self, nome: &str) -> u64 {
        let status = fs::read_to_string(self.pasta.join("status")).unwrap();
        let linha = status.lines().find_map(|linha| linha.strip_prefix(nome)).unwrap();
        let kib: u64 = linha.trim().trim_end_matches(" kB").parse().unwrap();
        kib * 1024
    }
}

/// Leva o limite de descritores deste processo de teste ao máximo, e confere que `precisa` cabem.
///
/// # Panics
///
/// Não cabem.
pub fn descritores_para(precisa: u64) {
    let limite = getrlimit(Resource::Nofile);
    let cabem = limite.maximum.unwrap_or(u64::MAX);
    assert!(cabem >= precisa, "este teste precisa de {precisa} descritores; veja 'ulimit -Hn'");
    setrlimit(Resource::Nofile, Rlimit { current: limite.maximum, ..limite }).unwrap();
}
