//! Um programa em execução, e como ele terminou.

use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{Captura, Exame, ate, comando};

/// Um programa em execução. Morre com o teste.
#[derive(Debug)]
pub struct Processo {
    filho: Child,
    /// O que saiu na saída padrão, se ela é capturada.
    pub saida: Captura,
    /// O que saiu na saída de erro, se ela é capturada.
    pub erro: Captura,
}

/// Como um programa terminou.
#[derive(Debug)]
pub struct Termino {
    /// O código de saída; `None` se um sinal o matou.
    pub codigo: Option<i32>,
    /// O sinal que o matou, se foi um.
    pub sinal: Option<i32>,
    /// A saída padrão inteira.
    pub saida: String,
    /// A saída de erro inteira.
    pub erro: String,
}

impl Processo {
    /// Inicia um programa e captura as saídas que `comando` deixou em um cano.
    ///
    /// # Panics
    ///
    /// Não há tal programa.
    pub fn iniciar(mut comando: Command) -> Self {
        let mut filho = comando.spawn().unwrap();
        let saida = filho.stdout.take().map_or_else(Captura::nenhuma, Captura::de);
        let erro = filho.stderr.take().map_or_else(Captura::nenhuma, Captura::de);
        Processo { filho, saida, erro }
    }

    /// O número do processo.
    pub fn pid(&self) -> u32 {
        self.filho.id()
    }

    /// Onde ouve um servidor que abriu em todas as interfaces, como diz a primeira linha dele.
    ///
    /// # Panics
    ///
    /// A primeira linha não é a combinada.
    pub fn onde_ouve(&self) -> SocketAddr {
        let dito = self.erro.ate("a linha de abertura", |texto| texto.contains('\n'));
        let porta = dito.split_once("0.0.0.0:").and_then(|(_, resto)| resto.split_once(' '));
        let porta: u16 = porta.and_then(|(porta, _)| porta.parse().ok()).expect(&dito);
        SocketAddr::from(([127, 0, 0, 1], porta))
    }

    /// Manda um sinal.
    ///
    /// # Panics
    ///
    /// O processo já foi removido.
    pub fn sinal(&self, sinal: Signal) {
        kill_process(Pid::from_child(&self.filho), sinal).unwrap();
    }

    /// O que o sistema sabe dele.
    pub fn exame(&self) -> Exame {
        Exame::de(Pid::from_child(&self.filho))
    }

    /// Diz se já terminou, sem esperar.
    ///
    /// # Panics
    ///
    /// O sistema não sabe dele.
    pub fn terminou(&mut self) -> bool {
        self.filho.try_wait().unwrap().is_some()
    }

    /// Manda este sinal até o programa terminar.
    ///
    /// # Panics
    ///
    /// Passou o [`PRAZO`](crate::PRAZO) e ele continua lá.
    pub fn insistir(&mut self, sinal: Signal) -> Termino {
        ate("o fim do processo", || {
            let terminou = self.terminou();
            if !terminou {
                self.sinal(sinal);
            }
            terminou.then_some(())
        });
        self.termino()
    }

    /// Espera o programa terminar.
    ///
    /// # Panics
    ///
    /// Passou o [`PRAZO`](crate::PRAZO) e ele continua lá.
    pub fn termino(&mut self) -> Termino {
        let estado = ate("o fim do processo", || self.filho.try_wait().unwrap());
        let texto = |captura: &Captura| String::from_utf8(captura.ate_o_fim()).unwrap();
        Termino {
            codigo: estado.code(),
            sinal: estado.signal(),
            saida: texto(&self.saida),
            erro: texto(&self.erro),
        }
    }

    /// Como [`termino`](Self::termino), para o que demora mais que o [`PRAZO`](crate::PRAZO): quem passa
    /// deste recebe antes um SIGTERM, para que pare também o que tiver aberto.
    ///
    /// # Panics
    ///
    /// Passou o prazo.
    pub fn termino_em(&mut self, prazo: Duration) -> Termino {
        let limite = Instant::now() + prazo;
        while !self.terminou() {
            if Instant::now() > limite {
                self.sinal(Signal::TERM);
                panic!("passaram {prazo:?}, e só então: {:?}", self.termino());
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.termino()
    }
}

impl Drop for Processo {
    fn drop(&mut self) {
        // Se já terminou, não há o que matar.
        let _ = self.filho.kill();
        let _ = self.filho.wait();
    }
}

impl Termino {
    /// O número que o resumo do fim dá a `nome`.
    ///
    /// # Panics
    ///
    /// O resumo não fala em `nome`.
    pub fn conta(&self, nome: &str) -> u64 {
        let linha = self.erro.lines().find_map(|linha| linha.trim().strip_prefix(nome));
        let numero = linha.and_then(|resto| resto.trim().parse().ok());
        numero.unwrap_or_else(|| panic!("o resumo não diz '{nome}':\n{}", self.erro))
    }
}

/// Executa um programa desta workspace até o fim.
///
/// # Panics
///
/// Não há tal programa, ou ele não termina.
pub fn executar(
    programa: &str,
    argumentos: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Termino {
    Processo::iniciar(comando(programa, argumentos)).termino()
}

/// Executa o servidor com opções que não o deixam abrir, e volta a explicação.
///
/// # Panics
///
/// Os de [`recusa`].
pub fn nao_abre(opcoes: &[&str]) -> String {
    recusa(comando("servidor", opcoes))
}

/// A explicação que um servidor dá, ao não abrir: uma linha só, em português. Ele sai com 1.
///
/// # Panics
///
/// Ele abriu, ou explicou-se de outro jeito.
pub fn recusa(comando: Command) -> String {
    let opcoes = format!("{comando:?}");
    let Termino { codigo, saida, erro, .. } = Processo::iniciar(comando).termino();
    assert_eq!((codigo, saida.as_str()), (Some(1), ""), "{opcoes}: {erro}");
    assert_eq!(erro.matches('\n').count(), 1, "{opcoes}: {erro}");
    assert!(erro.starts_with("servidor: ") && erro.ends_with('\n'), "{opcoes}: {erro}");
    assert_eq!(palavras_em_ingles(&erro), [""; 0], "{opcoes}: {erro}");
    erro
}

/// O que um programa escreve, até o fim, quando as duas saídas são um terminal.
///
/// # Panics
///
/// O sistema não deu um terminal, ou o programa não termina.
pub fn em_um_terminal(mut comando: Command) -> String {
    let mestre = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&mestre).unwrap();
    unlockpt(&mestre).unwrap();
    let nome = ptsname(&mestre, Vec::new()).unwrap();
    let escravo =
        File::options().read(true).write(true).open(OsStr::from_bytes(nome.as_bytes())).unwrap();
    comando.env("TERM", "xterm-256color");
    comando.stdout(escravo.try_clone().unwrap()).stderr(escravo);
    // O comando, com as nossas pontas do terminal, acaba em `iniciar`: só o programa o segura.
    let mut processo = Processo::iniciar(comando);
    let tela = Captura::de(File::from(mestre));
    processo.termino();
    String::from_utf8(tela.ate_o_fim()).unwrap()
}

/// As palavras inglesas que aparecem em `texto`, na ordem em que aparecem.
pub fn palavras_em_ingles(texto: &str) -> Vec<String> {
    texto
        .split(|letra: char| !letra.is_alphanumeric())
        .map(str::to_lowercase)
        .filter(|palavra| INGLES.contains(&palavra.as_str()))
        .collect()
}

/// O que o clap, a std e o sistema costumam dizer, menos as palavras que também são portuguesas:
/// "a", "as", "do", "for", "no", "os", "similar", "use".
#[rustfmt::skip]
const INGLES: &[&str] = &[
    "address", "alias", "aliases", "already", "an", "and", "are", "arg", "args", "argument",
    "arguments", "assign", "at", "available", "be", "broken", "but", "by", "can", "cannot",
    "command", "commands", "conflict", "conflicting", "conflicts", "connection", "default",
    "defaults", "denied", "device", "did", "digit", "directory", "duration", "empty", "env",
    "error", "errors", "exists", "expected", "failed", "failure", "few", "file", "found", "from",
    "given", "has", "have", "help", "if", "in", "information", "integer", "invalid", "is", "large",
    "left", "like", "many", "mean", "missing", "more", "multiple", "name", "needed", "needs", "not",
    "note", "number", "of", "on", "option", "options", "or", "out", "overflow", "panicked", "parse",
    "parsing", "permission", "pipe", "positive", "possible", "print", "prints", "provided",
    "refused", "requested", "required", "requires", "resolution", "service", "show", "similarly",
    "small", "space", "stack", "string", "subcommand", "subcommands", "such", "supplied", "target",
    "temporary", "the", "this", "time", "timed", "times", "tip", "to", "too", "try", "type",
    "unexpected", "unit", "unknown", "unrecognized", "usage", "used", "value", "values", "version",
    "warning", "was", "were", "with", "without", "you",
];

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn o_ingles_aparece_e_o_portugues_passa() {
        let clap = "error: unexpected argument '--x' found\n\nUsage: servidor [OPTIONS]";
        assert_eq!(
            palavras_em_ingles(clap),
            ["error", "unexpected", "argument", "found", "usage", "options"]
        );
        let nosso =
            "erro: argumento desconhecido: '--x'\nPara saber mais, use '--ajuda'. É inválido!";
        assert!(palavras_em_ingles(nosso).is_empty());
    }
}
