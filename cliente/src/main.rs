//! O programa `cliente`: simula, resume, dá o veredito; ou avalia, e dá a nota, a um servidor ou a uma turma. É o único lugar que
//! decide o código de saída. Da simulação, o primeiro destes que valer:
//!
//! | código | o que houve |
//! |---|---|
//! | 2 | opções erradas |
//! | 3 | o estoque está inconsistente |
//! | 130 | interrompida |
//! | 1 | não pôde simular, não houve o que julgar das vendas, ou não pôde escrever o que se pediu |
//! | 5 | do estoque, nada de errado; do AVISO (um extra, §9), sim |
//! | 4 | exigência não cumprida |
//! | 0 | tudo certo |

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use cliente::auditoria::reposicoes::Reposicoes;
use cliente::auditoria::veredito::{Estoque, Veredito};
use cliente::auditoria::{auditar, auditar_com_reposicoes, extravios};
use cliente::avaliacao::pesos::Pesos;
use cliente::avaliacao::zelador::zelar;
use cliente::avaliacao::{Pedido, avaliar};
use cliente::comparacao::Comparacao;
use cliente::comparacao::leitura::Documento;
use cliente::conversa::texto::citar;
use cliente::exigencia::{Conferida, Exigencia};
use cliente::historia::conjunto::Simulacao;
use cliente::historia::resumo::resumir;
use cliente::multidao::limites::poupar_enderecos;
use cliente::multidao::simulacao::simular;
use cliente::observacao::observar;
#[cfg(unix)]
use cliente::opcoes::OpcoesDaTurma;
use cliente::opcoes::{
    Acao, Opcoes, OpcoesDaAvaliacao, OpcoesDaComparacao, OpcoesDoCliente, Programa,
};
use cliente::relatorio::graficos::Dados;
use cliente::relatorio::relato::Relatorio;
use cliente::saida::{self, Saida, distintas};
use cliente::sistema::SHELL;
#[cfg(unix)]
use cliente::turma::{correcao::corrigir, corrigir_a_turma};
use protocolo::terminal::{contar, dizer, ler_opcoes};

const TUDO_CERTO: u8 = 0;
const NAO_SIMULOU: u8 = 1;
const INCONSISTENTE: u8 = 3;
const DESCUMPRIDA: u8 = 4;
const SO_O_AVISO: u8 = 5;
const INTERROMPIDO: u8 = 130;

/// O que fazer onde não há como isolar as entregas.
#[cfg(not(unix))]
const SEM_TURMA: &str = "a turma só se avalia no Linux ou no macOS: execute-a no WSL ('wsl --install'), ou avalie uma \
     entrega por vez, com 'cliente avaliar --iniciar \"py servidor.py\"'";

fn main() -> ExitCode {
    let programa: Programa = match ler_opcoes(std::env::args_os()) {
        Ok(programa) => programa,
        Err(codigo) => return codigo,
    };
    let feito = match programa.acao {
        None => multidao(&programa.opcoes),
        Some(Acao::Avaliar(opcoes)) => nota(&opcoes),
        Some(Acao::AvaliarCliente(opcoes)) => laudo_do_cliente(&opcoes),
        Some(Acao::Comparar(opcoes)) => comparar(&opcoes),
        #[cfg(unix)]
        Some(Acao::Turma(opcoes)) => turma(&opcoes),
        #[cfg(not(unix))]
        Some(Acao::Turma { .. }) => Err(SEM_TURMA.into()),
        #[cfg(unix)]
        Some(Acao::Corrigir { ordem }) => corrigir(&ordem).map(|()| TUDO_CERTO).map_err(Into::into),
        Some(Acao::Zelar(zelo)) => zelar(&zelo).map(|()| TUDO_CERTO).map_err(Into::into),
    };
    let codigo = feito.unwrap_or_else(|motivo| {
        dizer(format_args!("cliente: {motivo}"));
        NAO_SIMULOU
    });
    ExitCode::from(codigo)
}

/// A simulação inteira: o código de saída, ou por que não houve o que concluir.
fn multidao(opcoes: &Opcoes) -> Result<u8, Box<dyn Error>> {
    poupar_enderecos();
    let html = Saida::abrir("--relatorio", opcoes.relatorio.as_deref())?;
    let json = Saida::abrir("--json", opcoes.json.as_deref())?;
    let mut csv = Saida::abrir("--csv", opcoes.csv.as_deref())?;
    distintas(&[&html, &json, &csv])?;
    let semente = opcoes.semente.unwrap_or_else(rand::random);
    let abrir_csv = || csv.as_mut().map(Saida::arquivo).transpose();
    let simulacao = simular(opcoes, semente, abrir_csv)?;
    let csv_escrito = entregue(csv.map(|saida| saida.concluir(&simulacao.csv)));
    let resumo = resumir(&simulacao);
    if simulacao.houve_conexao() {
        // Se ninguém lê a saída padrão, o código de saída ainda diz o veredito.
        let _ = write!(io::stdout(), "\n{resumo}");
    }
    if let Some(porque) = nada_a_julgar(opcoes, &simulacao) {
        dizer(format_args!("cliente: {porque}"));
        return Ok(if simulacao.interrompida { INTERROMPIDO } else { NAO_SIMULOU });
    }
    let veredito = julgar(opcoes, &simulacao);
    let conferir = |exigencia: &Exigencia| exigencia.conferir(&resumo, &simulacao.medidas);
    let exigencias: Vec<Conferida> = opcoes.exigir.iter().map(conferir).collect();
    concluir(&veredito, &exigencias);
    let relatorio = Relatorio {
        comando: &comando_que_repete(opcoes.semente.is_none().then_some(semente)),
        opcoes,
        simulacao: &simulacao,
        resumo: &resumo,
        veredito: &veredito,
        exigencias: &exigencias,
        dados: &Dados::de(&simulacao),
    };
    let escritos = [
        csv_escrito,
        entregue(json.map(|saida| saida.escrever(&relatorio.json()))),
        entregue(html.map(|saida| saida.escrever(&relatorio.html()))),
    ];
    let estoque = veredito.estoque();
    Ok(if estoque == Estoque::Inconsistente {
        INCONSISTENTE
    } else if simulacao.interrompida {
        INTERROMPIDO
    } else if estoque == Estoque::SemVeredito || escritos.contains(&false) {
        NAO_SIMULOU
    } else if veredito.aviso().errado() {
        SO_O_AVISO
    } else if exigencias.iter().any(|exigencia| !exigencia.cumprida) {
        DESCUMPRIDA
    } else {
        TUDO_CERTO
    })
}

/// O arquivo foi escrito, ou não foi pedido? Se não foi, diz por quê.
fn entregue(escrito: Option<Result<(), saida::Erro>>) -> bool {
    let Some(Err(motivo)) = escrito else { return true };
    dizer(format_args!("cliente: {motivo}"));
    false
}

/// Por que não há veredito, se não há: ninguém chegou ao servidor, ou ele não disse nada do protocolo.
fn nada_a_julgar(opcoes: &Opcoes, simulacao: &Simulacao) -> Option<String> {
    let servidor = opcoes.servidor();
    let falhas = simulacao.historias.iter().flat_map(|historia| &historia.falhas);
    let primeira = falhas.min_by_key(|(quando, _)| *quando).map(|(_, falha)| falha.to_string());
    if !simulacao.houve_conexao() {
        return Some(match primeira {
            Some(porque) => format!(
                "ninguém chegou a {servidor} ({porque}); o servidor está no ar? cargo run -p servidor"
            ),
            None => format!("interrompido antes de chegar a {servidor}"),
        });
    }
    if simulacao.houve_resposta() {
        return None;
    }
    let porque = primeira.unwrap_or_else(|| "interrompido antes da primeira resposta".into());
    let medidas = &simulacao.medidas;
    let textos = [&medidas.consultar_sem, &medidas.comprar_sem];
    let disse = textos.into_iter().find_map(|sem| sem.primeira.as_ref());
    let disse = disse.map(|(_, texto)| format!("; a primeira foi {}", citar(texto)));
    Some(format!(
        "{servidor} não deu nenhuma resposta do protocolo ({porque}{}); não há o que julgar",
        disse.unwrap_or_default()
    ))
}

fn julgar(opcoes: &Opcoes, simulacao: &Simulacao) -> Veredito {
    // Sem a história inteira, uma unidade que falta pode estar na parte que não se guardou.
    let estoque = opcoes.estoque.filter(|_| simulacao.perdidas == 0);
    let historias = &simulacao.historias;
    let reposicoes = opcoes.reposicoes.as_deref().map(Reposicoes::ler);
    let mut veredito = match &reposicoes {
        Some(Ok(reposicoes)) => auditar_com_reposicoes(historias, estoque, reposicoes),
        None | Some(Err(_)) => auditar(historias, estoque),
    };
    if let Some(Err(motivo)) = reposicoes {
        veredito.observacoes.push(format!("{motivo}; julgou-se como se nada se tivesse reposto"));
    }
    veredito.observacoes.extend(extravios(simulacao));
    if simulacao.perdidas > 0 {
        let operacoes = contar(simulacao.perdidas as usize, "operação", "operações");
        veredito
            .observacoes
            .push(format!("a história não coube: {operacoes} ficaram sem auditoria"));
    }
    veredito
}

fn concluir(veredito: &Veredito, exigencias: &[Conferida]) {
    let mut saida = anstream::stdout();
    let _ = writeln!(saida);
    for exigencia in exigencias {
        let _ = writeln!(saida, "{exigencia}");
    }
    let _ = write!(saida, "{veredito:#}");
}

/// Os argumentos deste programa, e a semente que eles não dizem.
fn comando_que_repete(semente: Option<u64>) -> String {
    let mut argumentos: Vec<String> =
        std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    argumentos.extend(semente.into_iter().flat_map(|n| ["--semente".into(), n.to_string()]));
    let argumentos = SHELL.juntar(argumentos.iter().map(String::as_str));
    format!("cargo run -p cliente -- {argumentos}")
}

/// Duas simulações, lado a lado: o código diz se a segunda é pior.
fn comparar(opcoes: &OpcoesDaComparacao) -> Result<u8, Box<dyn Error>> {
    let arquivos = [&opcoes.antes, &opcoes.depois];
    let pares = [Documento::ler(arquivos[0])?, Documento::ler(arquivos[1])?];
    let html = Saida::abrir("--relatorio", opcoes.relatorio.as_deref())?;
    let nomes = arquivos.map(|arquivo| arquivo.display().to_string());
    let comparacao = Comparacao::de(nomes, &pares, opcoes.tolerancia);
    let _ = write!(anstream::stdout(), "{comparacao:#}");
    let escrito = entregue(html.map(|saida| saida.escrever(&comparacao.html(&pares))));
    Ok(if !escrito {
        NAO_SIMULOU
    } else if !comparacao.pioraram().is_empty() {
        DESCUMPRIDA
    } else {
        TUDO_CERTO
    })
}

/// A avaliação inteira: o código de saída não depende da nota.
fn nota(opcoes: &OpcoesDaAvaliacao) -> Result<u8, Box<dyn Error>> {
    let html = Saida::abrir("--relatorio", opcoes.relatorio.as_deref())?;
    let json = Saida::abrir("--json", opcoes.json.as_deref())?;
    distintas(&[&html, &json])?;
    let pesos = Pesos::ler(opcoes.pesos.as_deref())?;
    let avaliado = avaliar(Pedido::novo(opcoes, comando_que_repete(None), pesos));
    if let (Err(motivo), Some(formato)) = (&avaliado, opcoes.formato) {
        let documento = formato.sem_nota(opcoes.nome.as_deref(), motivo);
        let _ = writeln!(io::stdout(), "{}", documento.trim_end());
    }
    let Some(boletim) = avaliado? else {
        dizer("cliente: avaliação interrompida, sem nota");
        return Ok(INTERROMPIDO);
    };
    let _ = match opcoes.formato {
        Some(formato) => writeln!(io::stdout(), "{}", formato.escrever(&boletim).trim_end()),
        None => write!(anstream::stdout(), "{boletim:#}"),
    };
    let escritos = [
        entregue(json.map(|saida| saida.escrever(&boletim.json()))),
        entregue(html.map(|saida| saida.escrever(&boletim.html()))),
    ];
    Ok(if escritos.contains(&false) { NAO_SIMULOU } else { TUDO_CERTO })
}

/// A observação inteira de um cliente: o código de saída não depende do que se concluiu.
fn laudo_do_cliente(opcoes: &OpcoesDoCliente) -> Result<u8, Box<dyn Error>> {
    let html = Saida::abrir("--relatorio", opcoes.relatorio.as_deref())?;
    let json = Saida::abrir("--json", opcoes.json.as_deref())?;
    distintas(&[&html, &json])?;
    let Some(laudo) = observar(opcoes, &[], comando_que_repete(None))? else {
        dizer("cliente: observação interrompida, sem laudo");
        return Ok(INTERROMPIDO);
    };
    let _ = write!(anstream::stdout(), "{laudo:#}");
    let escritos = [
        entregue(json.map(|saida| saida.escrever(&laudo.json()))),
        entregue(html.map(|saida| saida.escrever(&laudo.html()))),
    ];
    Ok(if escritos.contains(&false) { NAO_SIMULOU } else { TUDO_CERTO })
}

/// A turma inteira: o código de saída não depende das notas.
#[cfg(unix)]
fn turma(opcoes: &OpcoesDaTurma) -> Result<u8, Box<dyn Error>> {
    let inteira = corrigir_a_turma(opcoes)?;
    Ok(if inteira { TUDO_CERTO } else { INTERROMPIDO })
}
