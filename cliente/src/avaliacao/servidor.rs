//! O servidor avaliado, aberto de novo para cada prova, com o console dele guardado.
//!
//! O servidor roda em um terminal de mentira, que é a entrada e as saídas dele, porque é assim que os
//! alunos o veem: o que ele imprime sai linha a linha, e quem lê o teclado espera por ele. Entre este
//! programa e o servidor há um [`zelador`](super::zelador), que o derruba, e a tudo o que ele tiver aberto.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use protocolo::terminal::abrir_thread;

use super::alvo::{Aberto, Alvo, Quem};
use super::ausente::programa_que_falta;
use super::autopsia::{autopsiar, explicar_sinal, pergunta, sinal_de_um_codigo, ultima_linha};
use super::costumes::PRAZO;
use super::erro::Erro;
use super::fim::Fim;
use super::processos;
use super::sonda::Sonda;
use super::trocas::Trocas;
use crate::multidao::limites::este_programa;
use crate::opcoes::SUBCOMANDO;
use crate::sistema::{Console, SHELL};

/// Quanto o servidor tem para terminar com SIGTERM, antes do SIGKILL.
const DESPEDIDA: Duration = Duration::from_secs(3);

/// Quanto se insiste com um servidor que já abriu antes e agora encontra a porta presa: é o que dura o
/// TIME_WAIT no Linux, e só espera por isso quem não usa SO_REUSEADDR.
const PORTA_PRESA: Duration = Duration::from_secs(65);

const ENTRE_TENTATIVAS: Duration = Duration::from_millis(10);

/// A cada quantas tentativas se pergunta ao sistema onde o servidor escuta, se não é onde se procura.
const TENTATIVAS_ATE_PERGUNTAR: u32 = 20;

/// Quanto se espera pelo que um servidor que já terminou ainda tem por ler no console.
const ULTIMAS_PALAVRAS: Duration = Duration::from_secs(2);

/// Quanto o que o comando deixou para trás tem para abrir a porta, depois de o comando terminar.
const SEGUNDO_PLANO: Duration = Duration::from_secs(2);

/// O que se guarda do console; o resto só se lê, para que o servidor não espere.
pub(crate) const CONSOLE_MAXIMO: usize = 4 * 1024 * 1024;

/// Por quanto tempo se olha o processador de um servidor sem ninguém conectado.
const SOSSEGO: Duration = Duration::from_millis(300);

/// Quantas vezes seguidas: uma limpeza ou o compilador do Java também gastam, mas acabam.
const VEZES_EM_SOSSEGO: u32 = 3;

/// A fração de um núcleo acima da qual um servidor sem ninguém conectado não está parado.
const PARADO: f64 = 0.5;

/// Os códigos com que terminam, se o sistema não lhes dá o que precisam, o zelador e o que o isola; acima deles, o do
/// `bwrap` é um sinal.
const DESISTIU: RangeInclusive<i32> = 1..=127;

/// De quanto em quanto tempo o Python do servidor troca de thread; o de outra linguagem, como sempre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ritmo {
    /// Como ele quiser.
    Normal,
    /// A cada microssegundo: assim se disputa mais.
    Apressado,
}

/// Um servidor aberto para uma prova. Deixar de tê-lo é fechá-lo.
#[derive(Debug)]
pub struct ServidorAvaliado {
    processo: Option<Processo>,
}

#[derive(Debug)]
struct Processo {
    /// O que o abriu.
    comando: String,
    /// O zelador: vive enquanto houver alguém do servidor.
    zelador: Child,
    console: Arc<Mutex<Vec<u8>>>,
    /// Acaba quando o último processo larga o terminal.
    leitor: JoinHandle<()>,
    /// Como o comando terminou, quando terminar.
    fim: Arc<OnceLock<Fim>>,
    /// Quando se viu que o comando terminou e deixou alguém.
    sozinho_desde: Option<Instant>,
    /// A pasta que apressa o Python, se é para apressá-lo.
    trocas: Option<PathBuf>,
    aberto: Arc<Aberto>,
}

impl ServidorAvaliado {
    /// Abre um programa que não se espera que escute: o cliente de um aluno, com o mesmo terminal e o mesmo zelador.
    ///
    /// # Errors
    ///
    /// O sistema não o executou.
    pub fn de_um_comando(
        comando: &str,
        entrada: Option<&str>,
        moldura: &[OsString],
        aberto: &Arc<Aberto>,
    ) -> io::Result<Self> {
        let processo = Processo::com(comando, entrada, moldura, None, aberto)?;
        Ok(ServidorAvaliado { processo: Some(processo) })
    }

    /// A exceção que está no console, se há uma.
    pub fn excecao(&self) -> Option<String> {
        let console = self.console()?;
        console.contains("Traceback (most recent call last)").then(|| {
            autopsiar(&console).map_or_else(|| "uma exceção".into(), |causa| causa.to_string())
        })
    }

    /// Abre o servidor pela primeira vez, e acha o endereço em que ele atende: é o do `alvo` daí em diante.
    ///
    /// # Errors
    ///
    /// O servidor não abriu, e por quê.
    pub fn inaugurar(alvo: &mut Alvo) -> Result<Self, Erro> {
        let Quem::Comando { .. } = alvo.quem else {
            return ninguem_a_abrir(alvo).map(|_| ServidorAvaliado { processo: None });
        };
        esperar_a_porta(alvo, Duration::ZERO)?;
        let mut servidor =
            ServidorAvaliado { processo: Some(Processo::iniciar(alvo, Ritmo::Normal)?) };
        let porta = alvo.endereco.port();
        let achado =
            servidor.esperar_abrir(alvo, |servidor, vez| servidor.onde_atende(porta, vez))?;
        alvo.endereco = achado;
        Ok(servidor)
    }

    /// Abre o servidor de novo e devolve, com ele, a primeira sonda: a conexão que mostrou que ele abriu.
    ///
    /// # Errors
    ///
    /// O servidor não abriu, e por quê.
    pub fn abrir(alvo: &Alvo, ritmo: Ritmo) -> Result<(Self, Sonda<'_>), Erro> {
        let Quem::Comando { .. } = alvo.quem else {
            return ninguem_a_abrir(alvo).map(|sonda| (ServidorAvaliado { processo: None }, sonda));
        };
        let limite = Instant::now() + PORTA_PRESA;
        loop {
            esperar_a_porta(alvo, DESPEDIDA)?;
            let mut servidor = ServidorAvaliado { processo: Some(Processo::iniciar(alvo, ritmo)?) };
            match servidor.esperar_abrir(alvo, |_, _| Sonda::conectar(alvo).ok()) {
                Ok(sonda) => return Ok((servidor, sonda)),
                Err(porque) if alvo.parada.pedida() || Instant::now() > limite => {
                    return Err(porque);
                }
                // A porta ainda pode estar presa pela vez anterior.
                Err(_) => alvo.parada.dormir(Duration::from_secs(1)),
            }
        }
    }

    /// Tenta até o servidor atender; a tentativa recebe quantas já houve.
    fn esperar_abrir<T>(
        &mut self,
        alvo: &Alvo,
        mut tentar: impl FnMut(&Self, u32) -> Option<T>,
    ) -> Result<T, Erro> {
        let limite = Instant::now() + alvo.espera;
        for vez in 0.. {
            if let Some(atende) = tentar(self, vez) {
                return Ok(atende);
            }
            if self.terminou_sem_abrir() {
                self.esperar_o_console();
                let nao_executou = self.o_sistema_nao_executou().map(Erro::SistemaNaoExecutou);
                return Err(nao_executou.unwrap_or_else(|| Erro::Terminou(self.causa())));
            }
            if alvo.parada.pedida() {
                return Err(Erro::Interrompido);
            }
            if Instant::now() > limite {
                break;
            }
            alvo.parada.dormir(ENTRE_TENTATIVAS);
        }
        let outra = self.outra_porta(alvo);
        let porque = self.por_que_nao_abriu(alvo, outra);
        Err(Erro::NaoAbriu { endereco: alvo.endereco, espera: alvo.espera, porque, outra })
    }

    /// Em que endereço desta máquina o servidor atende nesta porta. Um que escuta em `localhost` pode ter
    /// só o IPv6; um que escuta no nome da máquina, só outro.
    fn onde_atende(&self, porta: u16, vez: u32) -> Option<SocketAddr> {
        let atende = |endereco: &SocketAddr| TcpStream::connect_timeout(endereco, PRAZO).is_ok();
        let local = desta_maquina(porta).into_iter().find(atende);
        if local.is_some() || !vez.is_multiple_of(TENTATIVAS_ATE_PERGUNTAR) {
            return local;
        }
        self.escutas().into_iter().find(|endereco| endereco.port() == porta && atende(endereco))
    }

    /// Onde o servidor escuta, se o sistema o diz.
    fn escutas(&self) -> Vec<SocketAddr> {
        let zelador = self.processo.as_ref().map(|processo| processo.zelador.id().cast_signed());
        zelador.map(processos::escutas).unwrap_or_default()
    }

    /// Ninguém mais vai abrir a porta? Quem o comando deixou em segundo plano tem um tempo para isso.
    fn terminou_sem_abrir(&mut self) -> bool {
        if !self.vivo() {
            return true;
        }
        let Some(processo) = self.processo.as_mut().filter(|p| p.fim.get().is_some()) else {
            return false;
        };
        processo.sozinho_desde.get_or_insert_with(Instant::now).elapsed() > SEGUNDO_PLANO
    }

    /// A porta em que ele escuta, se não é a que se esperava.
    fn outra_porta(&self, alvo: &Alvo) -> Option<u16> {
        let porta = self.escutas().iter().map(SocketAddr::port).min();
        porta.filter(|porta| *porta != alvo.endereco.port())
    }

    /// Está vivo, e não atende: o que se sabe disso.
    fn por_que_nao_abriu(&self, alvo: &Alvo, outra: Option<u16>) -> String {
        if let Some(outra) = outra {
            let dito = self.ultimas_palavras();
            return format!(
                ", e sim a porta {outra}{dito}; confira --porta e --espera (a do enunciado é a 12346)"
            );
        }
        let dica = match alvo.quem {
            Quem::Comando { entrada: Some(_), .. } => r"cada '\n' de --entrada começa outra linha",
            Quem::Comando { na_turma: true, .. } => {
                "ponha na entrega um iniciar.txt que a responda, como: echo 12346 | python3 servidor.py"
            }
            _ => "dê-a com --entrada \"texto\"",
        };
        if let Some(pergunta) = pergunta(&self.console().unwrap_or_default()) {
            return format!(
                ": o console parou em '{pergunta}', e parece esperar uma resposta; {dica}"
            );
        }
        format!(
            "{}; confira --porta e --espera; se ele espera uma resposta no console, {dica}",
            self.ultimas_palavras()
        )
    }

    /// Há ainda algum processo do servidor? De um que já estava no ar não se sabe, e se supõe que sim.
    pub fn vivo(&mut self) -> bool {
        let Some(processo) = &mut self.processo else { return true };
        matches!(processo.zelador.try_wait(), Ok(None))
    }

    /// O comando terminou, e deixou o servidor em segundo plano?
    pub fn em_segundo_plano(&mut self) -> bool {
        self.vivo() && self.processo.as_ref().is_some_and(|processo| processo.fim.get().is_some())
    }

    /// O Python deste servidor está mesmo apressado?
    pub fn apressado(&self) -> bool {
        let pasta = self.processo.as_ref().and_then(|processo| processo.trocas.as_ref());
        pasta.is_some_and(|pasta| Trocas::houve(pasta))
    }

    /// Que fração de um núcleo o servidor gasta sem ninguém conectado, se não fica parado; `None` se fica,
    /// ou se não se sabe. É a menor de várias medidas seguidas.
    pub fn gasto_em_sossego(&self, alvo: &Alvo) -> Option<f64> {
        let zelador = self.processo.as_ref()?.zelador.id().cast_signed();
        let mut menor = f64::INFINITY;
        for _ in 0..VEZES_EM_SOSSEGO {
            let (antes, desde) = (processos::processador(zelador)?, Instant::now());
            alvo.parada.dormir(SOSSEGO);
            let gastou = processos::processador(zelador)?.saturating_sub(antes);
            menor = menor.min(gastou.as_secs_f64() / desde.elapsed().as_secs_f64());
            if menor <= PARADO {
                return None;
            }
        }
        Some(menor)
    }

    /// O que o servidor escreveu no console até agora; `None` se ele não foi aberto aqui.
    pub fn console(&self) -> Option<String> {
        let console = &self.processo.as_ref()?.console;
        let bytes = console.lock().unwrap_or_else(PoisonError::into_inner);
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// O que o console diz a partir deste byte.
    pub fn console_desde(&self, byte: usize) -> Vec<u8> {
        let Some(processo) = &self.processo else { return Vec::new() };
        let bytes = processo.console.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.get(byte..).unwrap_or_default().to_vec()
    }

    /// Já se leu tudo o que o console tinha, e ninguém mais o tem aberto?
    pub fn console_acabou(&self) -> bool {
        self.processo.as_ref().is_none_or(|processo| processo.leitor.is_finished())
    }

    /// Espera o console acabar, mas não por quem tenha ficado com ele.
    fn esperar_o_console(&self) {
        let limite = Instant::now() + ULTIMAS_PALAVRAS;
        while !self.console_acabou() && Instant::now() < limite {
            thread::sleep(ENTRE_TENTATIVAS);
        }
    }

    /// Por que o servidor, ou uma thread dele, caiu, para pôr depois de uma frase: o sinal, a exceção com
    /// a linha do aluno, ou a última linha do console.
    pub fn causa(&mut self) -> String {
        let terminou = !self.vivo();
        if terminou {
            self.esperar_o_console();
        }
        let fim = self.processo.as_ref().and_then(|processo| processo.fim.get()).copied();
        let sinal = fim.filter(|_| terminou).and_then(|fim| match fim {
            Fim::Sinal(numero) => Some(numero),
            Fim::Saiu(codigo) => sinal_de_um_codigo(codigo),
        });
        // Quem morre por um sinal não morre por uma exceção: a do console é de outra hora.
        if let Some(numero) = sinal {
            return format!(" com {}", explicar_sinal(numero));
        }
        if let Some(falta) = self.programa_que_falta() {
            return format!(": {falta}");
        }
        let causa = autopsiar(&self.console().unwrap_or_default());
        causa.map_or_else(|| self.ultimas_palavras(), |causa| format!(": {causa}"))
    }

    /// Se o zelador, ou o que o isola, parou antes de executar o comando, o que disse: isso não é do servidor. Quem um
    /// sinal derrubou não conta, que pode ter sido o servidor a mandá-lo.
    pub fn o_sistema_nao_executou(&mut self) -> Option<String> {
        let processo = self.processo.as_mut()?;
        let Ok(Some(como)) = processo.zelador.try_wait() else { return None };
        let desistiu = como.code().is_some_and(|codigo| DESISTIU.contains(&codigo));
        (desistiu && processo.fim.get().is_none()).then(|| self.ultimas_palavras())
    }

    /// Se o comando terminou porque não há o programa que ele pede, o que fazer.
    pub fn programa_que_falta(&self) -> Option<String> {
        let processo = self.processo.as_ref()?;
        let Some(Fim::Saiu(codigo)) = processo.fim.get() else { return None };
        let console = self.console().unwrap_or_default();
        programa_que_falta(SHELL, &processo.comando, *codigo, &console)
    }

    /// A última linha do console, entre parênteses.
    fn ultimas_palavras(&self) -> String {
        let ultima = ultima_linha(&self.console().unwrap_or_default());
        ultima.map(|linha| format!(" ({linha})")).unwrap_or_default()
    }
}

/// De um servidor que já estava no ar só se espera que atenda.
fn ninguem_a_abrir(alvo: &Alvo) -> Result<Sonda<'_>, Erro> {
    Sonda::conectar(alvo).map_err(|erro| Erro::NinguemAtende { endereco: alvo.endereco, erro })
}

/// Onde se procura, antes de perguntar ao sistema.
fn desta_maquina(porta: u16) -> [SocketAddr; 2] {
    [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]
        .map(|ip| SocketAddr::new(ip, porta))
}

/// Ninguém mais atende na porta? O servidor anterior pode levar um instante para largá-la.
fn esperar_a_porta(alvo: &Alvo, tolerancia: Duration) -> Result<(), Erro> {
    let limite = Instant::now() + tolerancia;
    let porta = alvo.endereco.port();
    let atende = |endereco: &SocketAddr| TcpStream::connect_timeout(endereco, PRAZO).is_ok();
    while desta_maquina(porta).iter().any(atende) || atende(&alvo.endereco) {
        if Instant::now() >= limite {
            return Err(Erro::PortaOcupada { porta, dono: processos::dono(porta) });
        }
        alvo.parada.dormir(ENTRE_TENTATIVAS);
    }
    Ok(())
}

impl Processo {
    fn iniciar(alvo: &Alvo, ritmo: Ritmo) -> Result<Self, Erro> {
        let Quem::Comando { comando, entrada, moldura, .. } = &alvo.quem else {
            return Err(Erro::SemComando);
        };
        let trocas = (ritmo == Ritmo::Apressado).then(Trocas::caminho_novo);
        Self::com(comando, entrada.as_deref(), moldura, trocas, &alvo.aberto)
            .map_err(|erro| Erro::NaoExecuta { comando: comando.clone(), erro })
    }

    fn com(
        comando: &str,
        entrada: Option<&str>,
        moldura: &[OsString],
        trocas: Option<PathBuf>,
        aberto: &Arc<Aberto>,
    ) -> io::Result<Self> {
        let (mut console_dele, saida_dele) = Console::abrir()?;
        let mut zelador = match moldura.split_first() {
            Some((primeiro, resto)) => {
                let mut isolado = Command::new(primeiro);
                isolado.args(resto);
                isolado
            }
            None => Command::new(este_programa()?),
        };
        zelador.arg(SUBCOMANDO);
        if let Some(pasta) = &trocas {
            zelador.arg("--trocas").arg(pasta);
        }
        zelador.args(Console::opcoes_do_zelador(entrada)).arg("--").arg(comando);
        zelador.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(saida_dele);
        let mut zelador = zelador.spawn()?;
        aberto.guardar(zelador.stdin.take());
        if let Some(entrada) = entrada {
            console_dele.digitar(entrada)?;
        }
        let (console, fim) = (Arc::new(Mutex::new(Vec::new())), Arc::new(OnceLock::new()));
        let (copia, dito) = (Arc::clone(&console), Arc::clone(&fim));
        let saida = zelador.stdout.take();
        abrir_thread("fim", move || ouvir(saida, &dito))?;
        let leitor = abrir_thread("console", move || guardar(console_dele, &copia))?;
        let aberto = Arc::clone(aberto);
        let comando = comando.to_owned();
        Ok(Processo { comando, zelador, console, leitor, fim, sozinho_desde: None, trocas, aberto })
    }

    fn terminou_ate(&mut self, limite: Instant) -> bool {
        while matches!(self.zelador.try_wait(), Ok(None)) {
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
        self.aberto.despedir();
        let _ = self.terminou_ate(Instant::now() + DESPEDIDA);
        // Quem não quis sair, e o que ele tiver deixado para trás.
        self.aberto.derrubar();
        // Um zelador que o aluno alcança, em uma cela, pode ter sido parado por ele.
        if !self.terminou_ate(Instant::now() + DESPEDIDA) {
            let _ = self.zelador.kill();
        }
        let _ = self.zelador.wait();
    }
}

/// Ouve do zelador como o comando terminou.
fn ouvir(saida: Option<ChildStdout>, fim: &OnceLock<Fim>) {
    let linhas = saida.map(BufReader::new).into_iter().flat_map(BufRead::lines);
    for dito in linhas.map_while(Result::ok).filter_map(|linha| linha.parse().ok()) {
        fim.get_or_init(|| dito);
    }
}

/// Lê o console até o último processo largar o terminal (o que o Linux diz com um erro).
fn guardar(mut terminal: Console, console: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(lidos @ 1..) = terminal.read(&mut bytes) {
        let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
        let cabem = CONSOLE_MAXIMO.saturating_sub(console.len()).min(lidos);
        console.extend_from_slice(&bytes[..cabem]);
    }
}
