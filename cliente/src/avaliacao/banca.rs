//! A banca: o servidor avaliado, aberto de novo para cada prova, com o console dele guardado.
//!
//! O servidor roda em um terminal de mentira, porque é assim que os alunos o veem: o que ele imprime sai
//! linha a linha, e não quando um buffer enche. Roda também em um grupo de processos só dele, para que
//! parar o comando pare tudo o que ele tiver aberto.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use protocolo::mensagem::visivel;
use protocolo::terminal::explicar;
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::fregues::{Fregues, Mundo};

/// Quanto o servidor tem para terminar com SIGTERM, antes do SIGKILL.
const DESPEDIDA: Duration = Duration::from_secs(3);

/// Quanto se insiste com um servidor que já abriu antes e agora encontra a porta presa: é o que dura o
/// TIME_WAIT no Linux, e só espera por isso quem não usa SO_REUSEADDR.
const PORTA_PRESA: Duration = Duration::from_secs(65);

const ENTRE_TENTATIVAS: Duration = Duration::from_millis(10);

/// Quanto se espera pelo que um servidor que já terminou ainda tem por ler no console.
const ULTIMAS_PALAVRAS: Duration = Duration::from_secs(2);

/// O que se guarda do console; o resto só se lê, para que o servidor não espere.
const CONSOLE_MAXIMO: usize = 4 * 1024 * 1024;

/// Como chegar ao servidor.
#[derive(Debug, Clone)]
pub enum Quem {
    /// Já está no ar, e ninguém aqui o abre ou fecha.
    NoAr,
    /// Este comando, dado ao `sh`, o abre.
    Comando(String),
}

/// Um servidor aberto para uma prova. Deixar de tê-lo é fechá-lo.
#[derive(Debug)]
pub struct Banca {
    processo: Option<Processo>,
}

#[derive(Debug)]
struct Processo {
    filho: Child,
    console: Arc<Mutex<Vec<u8>>>,
    /// Acaba quando o último processo larga o terminal.
    leitor: JoinHandle<()>,
    /// Onde se sabe que grupo está aberto, para que um sinal o derrube.
    aberto: Arc<Mutex<Option<Pid>>>,
}

impl Banca {
    /// Abre o servidor e devolve, com ele, o primeiro freguês: a conexão que mostrou que ele abriu.
    /// `de_novo` diz se este servidor já abriu antes nesta avaliação.
    ///
    /// # Errors
    ///
    /// O servidor não abriu, e por quê.
    pub fn abrir(mundo: &Mundo, de_novo: bool) -> Result<(Self, Fregues<'_>), String> {
        let Quem::Comando(comando) = &mundo.quem else {
            let fregues = Fregues::conectar(mundo).map_err(|erro| {
                format!("ninguém atende em {}: {}", mundo.endereco, explicar(&erro))
            })?;
            return Ok((Banca { processo: None }, fregues));
        };
        let limite = Instant::now() + PORTA_PRESA;
        loop {
            esperar_a_porta(mundo, if de_novo { DESPEDIDA } else { Duration::ZERO })?;
            let processo = Processo::iniciar(comando, &mundo.aberto)
                .map_err(|erro| format!("não posso executar '{comando}': {}", explicar(&erro)))?;
            let mut banca = Banca { processo: Some(processo) };
            match banca.esperar_abrir(mundo) {
                Ok(fregues) => return Ok((banca, fregues)),
                Err(porque) if !de_novo || mundo.parada.pedida() || Instant::now() > limite => {
                    return Err(porque);
                }
                // A porta ainda pode estar presa pela vez anterior.
                Err(_) => mundo.parada.dormir(Duration::from_secs(1)),
            }
        }
    }

    fn esperar_abrir<'a>(&mut self, mundo: &'a Mundo) -> Result<Fregues<'a>, String> {
        let limite = Instant::now() + mundo.espera;
        loop {
            if let Ok(fregues) = Fregues::conectar(mundo) {
                return Ok(fregues);
            }
            if !self.vivo() {
                self.esperar_o_console();
                return Err(format!(
                    "o servidor terminou antes de abrir{}",
                    self.ultimas_palavras()
                ));
            }
            if mundo.parada.pedida() {
                return Err("interrompido antes de o servidor abrir".into());
            }
            if Instant::now() > limite {
                let espera = humantime::format_duration(mundo.espera);
                return Err(format!(
                    "o servidor não abriu {} em {espera}{}; confira --porta e --espera",
                    mundo.endereco,
                    self.ultimas_palavras()
                ));
            }
            mundo.parada.dormir(ENTRE_TENTATIVAS);
        }
    }

    /// O processo do servidor continua lá? De um que já estava no ar não se sabe, e se supõe que sim.
    pub fn vivo(&mut self) -> bool {
        let Some(processo) = &mut self.processo else { return true };
        matches!(processo.filho.try_wait(), Ok(None))
    }

    /// O que o servidor escreveu no console até agora; `None` se ele não foi aberto aqui.
    pub fn console(&self) -> Option<String> {
        let console = &self.processo.as_ref()?.console;
        let bytes = console.lock().unwrap_or_else(PoisonError::into_inner);
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Espera o console acabar, mas não por quem tenha ficado com ele.
    fn esperar_o_console(&self) {
        let limite = Instant::now() + ULTIMAS_PALAVRAS;
        let acabou = || self.processo.as_ref().is_none_or(|p| p.leitor.is_finished());
        while !acabou() && Instant::now() < limite {
            thread::sleep(ENTRE_TENTATIVAS);
        }
    }

    /// A última linha do console, entre parênteses: costuma ser o erro que derrubou o servidor.
    pub fn ultimas_palavras(&self) -> String {
        let console = self.console().unwrap_or_default();
        let ultima = console.lines().map(str::trim).rfind(|linha| !linha.is_empty());
        ultima.map(|linha| format!(" ({})", visivel(linha))).unwrap_or_default()
    }
}

/// Ninguém mais atende na porta? O servidor anterior pode levar um instante para largá-la.
fn esperar_a_porta(mundo: &Mundo, tolerancia: Duration) -> Result<(), String> {
    let limite = Instant::now() + tolerancia;
    while Fregues::conectar(mundo).is_ok() {
        if Instant::now() >= limite {
            let porta = mundo.endereco.port();
            return Err(format!(
                "já há um servidor na porta {porta}; feche-o, ou avalie-o com --servidor"
            ));
        }
        mundo.parada.dormir(ENTRE_TENTATIVAS);
    }
    Ok(())
}

impl Processo {
    fn iniciar(comando: &str, aberto: &Arc<Mutex<Option<Pid>>>) -> io::Result<Self> {
        let mestre = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&mestre)?;
        unlockpt(&mestre)?;
        let nome = ptsname(&mestre, Vec::new())?;
        // Sem NOCTTY, o terminal seria o de controle deste programa, se ele não tem um, e fechá-lo o mataria.
        let terminal = File::options()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(OsStr::from_bytes(nome.as_bytes()))?;
        let filho = Command::new("sh")
            .args(["-c", comando])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(terminal.try_clone()?)
            .stderr(terminal)
            .spawn()?;
        let console = Arc::new(Mutex::new(Vec::new()));
        let copia = Arc::clone(&console);
        let leitor = thread::Builder::new().spawn(move || guardar(File::from(mestre), &copia))?;
        let grupo = Pid::from_child(&filho);
        *aberto.lock().unwrap_or_else(PoisonError::into_inner) = Some(grupo);
        Ok(Processo { filho, console, leitor, aberto: Arc::clone(aberto) })
    }

    fn sinal(&self, sinal: Signal) {
        // Se o grupo já se foi, não há a quem mandar.
        let _ = kill_process_group(Pid::from_child(&self.filho), sinal);
    }

    fn terminou_ate(&mut self, limite: Instant) -> bool {
        while matches!(self.filho.try_wait(), Ok(None)) {
            if Instant::now() > limite {
                return false;
            }
            thread::sleep(ENTRE_TENTATIVAS);
        }
        true
    }
}

impl Drop for Processo {
    fn drop(&mut self) {
        self.sinal(Signal::TERM);
        let _ = self.terminou_ate(Instant::now() + DESPEDIDA);
        // Quem não quis sair, e o que ele tiver deixado para trás.
        derrubar(Pid::from_child(&self.filho));
        *self.aberto.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.filho.wait();
    }
}

/// Derruba um grupo de processos, sem conversa. Se já se foi, não há a quem mandar o sinal.
pub fn derrubar(grupo: Pid) {
    let _ = kill_process_group(grupo, Signal::KILL);
}

/// Lê o console até o último processo largar o terminal (o que o Linux diz com um erro).
fn guardar(mut terminal: File, console: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(lidos @ 1..) = terminal.read(&mut bytes) {
        let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
        let cabem = CONSOLE_MAXIMO.saturating_sub(console.len()).min(lidos);
        console.extend_from_slice(&bytes[..cabem]);
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    fn banca(comando: &str) -> Banca {
        Banca { processo: Some(Processo::iniciar(comando, &Arc::default()).unwrap()) }
    }

    /// O console inteiro de um comando que termina.
    fn tudo(comando: &str) -> Banca {
        let banca = banca(comando);
        while !banca.processo.as_ref().unwrap().leitor.is_finished() {
            thread::sleep(ENTRE_TENTATIVAS);
        }
        banca
    }

    #[test]
    fn as_ultimas_palavras_sao_a_ultima_linha_que_diz_algo_sem_controle() {
        for (comando, ultimas) in [
            ("echo um; echo ' dois '; echo; echo '  '", " (dois)"),
            ("echo um; echo dois >&2", " (dois)"),
            (r"printf 'a\033[31mb'", r" (a\u{1b}[31mb)"),
            ("exit 3", ""),
            ("cat", ""),
        ] {
            assert_eq!(tudo(comando).ultimas_palavras(), ultimas, "{comando}");
        }
    }

    #[test]
    fn o_servidor_pensa_estar_em_um_terminal() {
        let console = tudo("test -t 1 && test -t 2 && echo sim").console().unwrap();
        assert_eq!(console.trim(), "sim");
    }

    #[test]
    fn do_console_so_se_guarda_o_comeco_e_o_resto_nao_prende_o_servidor() {
        let console = tudo("head -c 5000000 /dev/zero | tr '\\0' x").console().unwrap();
        assert_eq!(console.len(), CONSOLE_MAXIMO);
    }

    #[test]
    fn quem_terminou_nao_esta_vivo_e_o_que_ja_estava_no_ar_se_supoe_que_sim() {
        assert!(banca("exec sleep 600").vivo());
        let mut acabou = banca("exit 0");
        while acabou.vivo() {
            thread::sleep(ENTRE_TENTATIVAS);
        }
        let mut no_ar = Banca { processo: None };
        assert!(no_ar.vivo());
        assert_eq!((no_ar.console(), no_ar.ultimas_palavras()), (None, String::new()));
    }
}
