//! A outra metade da entrega: observa o cliente de um aluno (§5, §6) e diz, exigência por exigência, o que se viu.
//!
//! ```text
//!   observar ─► mesa      o servidor que observa, com uma thread por conexão
//!       │        └─► visto ◄─┐   o que se viu: só dados
//!       ├─► regras ──────────┤   o que se conclui: funções puras
//!       └─► laudo ───────────┘   o texto, o JSON e a página, com o desenho do relatório
//! ```
//!
//! O programa do aluno roda em um terminal de mentira, com o zelador do avaliador. Não dá nota: cada exigência é
//! cumprida, não cumprida, ou não se viu.

pub mod laudo;
mod mesa;
pub mod regras;
pub mod visto;

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use protocolo::mensagem::AVISO;
use protocolo::terminal::{dizer, explicar};
use thiserror::Error;

use crate::avaliacao::alvo::Aberto;
use crate::avaliacao::servidor::{CONSOLE_MAXIMO, ServidorAvaliado};
use crate::conversa::parada::Parada;
use crate::opcoes::OpcoesDoCliente;
use crate::sistema;
use laudo::Laudo;
use mesa::{Cena, Mesa};
use regras::{Escala, conferir};
use visto::{Contagem, Visto};

/// De quanto em quanto tempo se olha o console e se o programa terminou.
const PASSO: Duration = Duration::from_millis(20);

/// Quanto demora a resposta lenta.
const DEMORA: Duration = Duration::from_millis(1500);

/// Quanto se espera, no tempo do enunciado, pelo que o cliente faz depois que o servidor fecha tudo: uma escuta
/// inteira e uma decisão.
const DEPOIS_DE_FECHAR: Duration = Duration::from_secs(20);

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
    /// O programa terminou sem conectar.
    #[error("o cliente não conectou em 127.0.0.1:{porta}{causa}")]
    NaoConectou {
        /// A porta.
        porta: u16,
        /// O que se sabe, e o que conferir.
        causa: String,
    },
}

/// O que uma cena deixou, e a causa do fim do programa, para o caso de ele não ter conectado.
type Vivida = (Visto, String);

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
    let porta = opcoes.porta;
    let ouvinte = sistema::escutar(porta).map_err(|erro| Erro::SemPorta { porta, erro })?;
    let aberto: Arc<Aberto> = Arc::default();
    let do_sinal = Arc::clone(&aberto);
    let nao_executa = |erro| Erro::NaoExecuta { comando: opcoes.iniciar.clone(), erro };
    let parada = Parada::ao_sinal(move || do_sinal.derrubar()).map_err(nao_executa)?;
    let cena = |cena| viver(opcoes, moldura, &ouvinte, cena, &aberto, &parada).map_err(nao_executa);
    let (visto, causa) = cena(Cena::Vende)?;
    if parada.pedida() {
        return Ok(None);
    }
    if visto.conexoes.is_empty() {
        return Err(Erro::NaoConectou { porta, causa });
    }
    let (fecha, _) = cena(Cena::Fecha)?;
    let exigencias = conferir(&visto, Some(&fecha), Escala(opcoes.escala));
    let cliente = opcoes.iniciar.clone();
    let nome = opcoes.nome.clone();
    Ok((!parada.pedida()).then_some(Laudo { nome, cliente, comando, exigencias, visto }))
}

/// Executa o cliente em uma cena, até ele terminar ou não haver mais o que ver.
fn viver(
    opcoes: &OpcoesDoCliente,
    moldura: &[OsString],
    porta: &TcpListener,
    cena: Cena,
    aberto: &Arc<Aberto>,
    parada: &Parada,
) -> io::Result<Vivida> {
    let mesa = Mesa::abrir(porta, cena, DEMORA.mul_f64(opcoes.escala.min(1.0)))?;
    let mut programa = ServidorAvaliado::de_um_comando(
        &opcoes.iniciar,
        opcoes.entrada.as_deref(),
        moldura,
        aberto,
    )?;
    let mut contagens: Vec<Contagem> = Vec::new();
    let mut ao_fechar = None;
    let mut terminou = None;
    while !parada.pedida() && mesa.agora() < opcoes.tempo_maximo {
        // O fim se pergunta antes: o que o console disser depois dele já está lá.
        let vivo = programa.vivo();
        anotar_o_console(&mut contagens, &programa, mesa.agora());
        if !vivo {
            terminou = Some(mesa.agora());
            break;
        }
        let (fechou, voltou) = mesa.fechou_e_voltou();
        let limite =
            fechou.map(|quando| quando + DEPOIS_DE_FECHAR.mul_f64(opcoes.escala) + PASSO * 50);
        if fechou.is_some() {
            ao_fechar.get_or_insert_with(|| tamanho_do_console(&programa));
        }
        if voltou || limite.is_some_and(|limite| mesa.agora() > limite) {
            break;
        }
        parada.dormir(PASSO);
    }
    // O fim das conexões chega um instante depois do fim do programa.
    let limite = mesa.agora() + PASSO * 50;
    while terminou.is_some() && mesa.ha_abertas() && mesa.agora() < limite {
        parada.dormir(PASSO);
    }
    let causa = causa(&mut programa);
    let (excecao, tamanho) = (programa.excecao(), tamanho_do_console(&programa));
    let console_cheio = tamanho >= CONSOLE_MAXIMO;
    let console_depois_de_fechar = ao_fechar.map_or(0, |antes| tamanho - antes);
    // Encerra-se a mesa antes de derrubar o programa: as conexões que ele perde assim não são ele que deixa.
    let visto = mesa.encerrar();
    drop(programa);
    if cena == Cena::Vende && terminou.is_none() && !parada.pedida() {
        dizer(format_args!(
            "cliente: o programa observado não terminou no --tempo-maximo e foi encerrado"
        ));
    }
    let visto = Visto {
        avisos_no_console: contagens,
        console_cheio,
        excecao,
        console_depois_de_fechar,
        terminou,
        ..visto
    };
    Ok((visto, causa))
}

/// Por que o programa terminou sem conectar, e o que conferir.
fn causa(programa: &mut ServidorAvaliado) -> String {
    let conferir = match programa.programa_que_falta() {
        Some(_) => "",
        None => "; confira a porta, e --entrada se ele pergunta algo",
    };
    programa.causa() + conferir
}

fn tamanho_do_console(programa: &ServidorAvaliado) -> usize {
    programa.console().map_or(0, |console| console.len())
}

fn anotar_o_console(contagens: &mut Vec<Contagem>, programa: &ServidorAvaliado, quando: Duration) {
    let console = programa.console().unwrap_or_default();
    let (exatos, parecidos) = contar_avisos(&console);
    let mudou = contagens.last().is_none_or(|c| (c.exatos, c.parecidos) != (exatos, parecidos));
    if mudou {
        contagens.push(Contagem { quando, exatos, parecidos });
    }
}

/// Quantas vezes o texto do AVISO aparece, e quantas se fala em aviso. Quem mostra só o texto depois dos dois pontos
/// também o mostra.
fn contar_avisos(console: &str) -> (usize, usize) {
    let texto = AVISO.split_once(": ").map_or(AVISO, |(_, texto)| texto);
    let miolo = texto.trim_end_matches('!').to_lowercase();
    let console = console.to_lowercase();
    (console.matches(&miolo).count(), console.matches("aviso").count())
}
