//! A outra metade da entrega: observa o cliente de um aluno (§5, §6) e diz, exigência por exigência, o que se viu.
//!
//! ```text
//!   observar ─► mesa      o servidor que observa, com uma thread por conexão
//!       │        └─► visto ◄─┐   o que se viu: só dados
//!       ├─► olhar ───────────┤   o console e o relógio, a cada passo
//!       ├─► regras ──────────┤   o que se conclui: funções puras
//!       └─► laudo ───────────┘   o texto, o JSON e a página, com o desenho do relatório
//! ```
//!
//! O programa do aluno roda em um terminal de mentira, com o zelador do avaliador. Não dá nota: cada exigência é
//! cumprida, não cumprida, ou não se viu.

pub mod laudo;
mod mesa;
mod olhar;
pub mod regras;
pub mod visto;

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use protocolo::terminal::{dizer, explicar};
use thiserror::Error;

use crate::avaliacao::alvo::Aberto;
use crate::avaliacao::servidor::{CONSOLE_MAXIMO, ServidorAvaliado};
use crate::conversa::parada::Parada;
use crate::opcoes::OpcoesDoCliente;
use crate::sistema;
use laudo::Laudo;
use mesa::{Cena, Mesa};
use olhar::{Olhar, PASSO};
use regras::{Escala, conferir};
use visto::Visto;

/// Quanto demora a resposta lenta.
const DEMORA: Duration = Duration::from_millis(1500);

/// Quanto se espera, no tempo do enunciado, pelo que o cliente faz depois que o servidor fecha tudo: uma escuta
/// inteira e uma decisão.
const DEPOIS_DE_FECHAR: Duration = Duration::from_secs(20);

/// Quanto se espera pelo que um programa que já terminou ainda tem por dizer.
const ULTIMAS_PALAVRAS: Duration = Duration::from_secs(2);

/// Por que não se observou.
#[derive(Debug, Error)]
pub enum Erro {
    /// A porta está ocupada, ou não se pode escutar nela.
    #[error("não posso escutar na porta {porta}: {}; feche quem a usa, ou escolha outra com --porta", explicar(.erro))]
    SemPorta {
        /// A porta.
        porta: u16,
        /// O que o sistema disse.
        erro: io::Error,
    },
    /// O programa não se executa, ou falta algo ao observador.
    #[error("não posso observar '{comando}': {}", explicar(.erro))]
    NaoExecuta {
        /// O comando.
        comando: String,
        /// O que o sistema disse.
        erro: io::Error,
    },
    /// Quem o executaria parou antes disso, e o que disse: falta alguma coisa a esta máquina.
    #[error("o sistema não executou o cliente{0}")]
    SistemaNaoExecutou(String),
    /// O programa terminou sem conectar.
    #[error("o cliente não conectou em {onde}{causa}")]
    NaoConectou {
        /// Os endereços em que se esperou por ele.
        onde: String,
        /// O que se sabe, e o que conferir.
        causa: String,
    },
}

/// O que uma cena deixou.
struct Vivida {
    visto: Visto,
    /// Por que o programa acabou, para o caso de não ter conectado.
    causa: String,
    /// Se foi o sistema que não o executou, o que disse.
    nao_executou: Option<String>,
}

/// Observa o cliente que as opções dizem; `None` se foi interrompido. O laudo cita `comando`, que repete a observação, e
/// `moldura` é o que vem antes do comando do aluno para isolá-lo.
///
/// # Errors
///
/// A porta está ocupada, o programa não se executa, ou não conecta.
pub fn observar(
    opcoes: &OpcoesDoCliente,
    moldura: &[OsString],
    comando: String,
) -> Result<Option<Laudo>, Erro> {
    let portas: Vec<u16> = [opcoes.porta].into_iter().chain(opcoes.outra_porta).collect();
    let escutar = |porta| sistema::escutar(porta).map_err(|erro| Erro::SemPorta { porta, erro });
    let ouvintes: Vec<TcpListener> =
        portas.iter().copied().map(escutar).collect::<Result<_, _>>()?;
    let aberto: Arc<Aberto> = Arc::default();
    let do_sinal = Arc::clone(&aberto);
    let nao_executa = |erro| Erro::NaoExecuta { comando: opcoes.iniciar.clone(), erro };
    let parada = Parada::ao_sinal(move || do_sinal.derrubar()).map_err(nao_executa)?;
    let cena =
        |cena| viver(opcoes, moldura, &ouvintes, cena, &aberto, &parada).map_err(nao_executa);
    let Vivida { visto, causa, nao_executou } = cena(Cena::Vende)?;
    if parada.pedida() {
        return Ok(None);
    }
    if let Some(dito) = nao_executou {
        return Err(Erro::SistemaNaoExecutou(dito));
    }
    if visto.conexoes.is_empty() {
        let enderecos: Vec<String> = portas.iter().map(|p| format!("127.0.0.1:{p}")).collect();
        return Err(Erro::NaoConectou { onde: enderecos.join(" nem em "), causa });
    }
    let fecha = cena(Cena::Fecha)?.visto;
    let exigencias = conferir(&visto, Some(&fecha), Escala(opcoes.escala));
    let cliente = opcoes.iniciar.clone();
    let nome = opcoes.nome.clone();
    Ok((!parada.pedida()).then_some(Laudo { nome, cliente, comando, exigencias, visto }))
}

/// Executa o cliente em uma cena, até ele terminar ou não haver mais o que ver.
fn viver(
    opcoes: &OpcoesDoCliente,
    moldura: &[OsString],
    portas: &[TcpListener],
    cena: Cena,
    aberto: &Arc<Aberto>,
    parada: &Parada,
) -> io::Result<Vivida> {
    let mesa = Mesa::abrir(portas, cena, DEMORA.mul_f64(opcoes.escala.min(1.0)))?;
    let mut programa = ServidorAvaliado::de_um_comando(
        &opcoes.iniciar,
        opcoes.entrada.as_deref(),
        moldura,
        aberto,
    )?;
    let mut olhar = Olhar::novo();
    let mut ao_fechar = None;
    let mut terminou = None;
    while !parada.pedida() && mesa.agora() < opcoes.tempo_maximo {
        if !programa.vivo() {
            terminou = Some(mesa.agora());
            break;
        }
        olhar_o_console(&mut olhar, &programa, &mesa);
        let (fechou, voltou) = mesa.fechou_e_voltou();
        let limite =
            fechou.map(|quando| quando + DEPOIS_DE_FECHAR.mul_f64(opcoes.escala) + PASSO * 50);
        if fechou.is_some() {
            ao_fechar.get_or_insert(olhar.lidos);
        }
        if voltou || limite.is_some_and(|limite| mesa.agora() > limite) {
            break;
        }
        parada.dormir(PASSO);
    }
    if terminou.is_some() {
        ouvir_o_fim(&mut olhar, &programa, &mesa, parada);
    }
    olhar_o_console(&mut olhar, &programa, &mesa);
    let (causa, excecao) = (causa(&mut programa), programa.excecao());
    let nao_executou = programa.o_sistema_nao_executou();
    // Encerra-se a mesa antes de derrubar o programa: as conexões que ele perde assim não são ele que deixa.
    let visto = mesa.encerrar();
    drop(programa);
    if cena == Cena::Vende && terminou.is_none() && !parada.pedida() {
        dizer(format_args!(
            "cliente: o programa observado não terminou no --tempo-maximo e foi encerrado; se ainda pedia, dê-lhe mais"
        ));
    }
    let visto = Visto {
        console_cheio: olhar.lidos >= CONSOLE_MAXIMO,
        console_depois_de_fechar: ao_fechar.map_or(0, |antes| olhar.lidos - antes),
        avisos_no_console: olhar.contagens,
        atrasos: olhar.atrasos,
        excecao,
        terminou,
        ..visto
    };
    Ok(Vivida { visto, causa, nao_executou })
}

/// Por que o programa terminou sem conectar, e o que conferir.
fn causa(programa: &mut ServidorAvaliado) -> String {
    let conferir = match programa.programa_que_falta() {
        Some(_) => "",
        None => "; confira a porta, e se ele pergunta algo antes de conectar",
    };
    programa.causa() + conferir
}

/// O fim das conexões, e o que o programa disse ao sair, chegam um instante depois do fim dele.
fn ouvir_o_fim(olhar: &mut Olhar, programa: &ServidorAvaliado, mesa: &Mesa, parada: &Parada) {
    let limite = mesa.agora() + ULTIMAS_PALAVRAS;
    let falta = || mesa.ha_abertas() || !programa.console_acabou();
    while falta() && mesa.agora() < limite {
        olhar_o_console(olhar, programa, mesa);
        parada.dormir(PASSO);
    }
}

fn olhar_o_console(olhar: &mut Olhar, programa: &ServidorAvaliado, mesa: &Mesa) {
    let comecou = mesa.agora();
    let novo = programa.console_desde(olhar.lidos);
    olhar.olhar(comecou, mesa.agora(), &novo);
}
