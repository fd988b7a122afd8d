//! A turma: uma pasta de entregas, uma nota por pessoa, uma página por aluno.
//!
//! ```text
//!   corrigir_a_turma ─► entregas ─► pacote          quem entregou, e o que há em cada pacote
//!                    ├─► receita ─► fontes           como se abre cada servidor
//!                    │         └─► ferramentas       o que esta máquina tem para abri-lo
//!                    ├─► corrida ─► impressao        várias ao mesmo tempo; e o que, de uma, não mudou
//!                    │     └─► cela ─► correcao      uma, isolada: prepara, avalia, escreve
//!                    │         │           └─► vigia     e não deixa gastar memória demais
//!                    │         └─► filtro        nem a que ninguém vê
//!                    ├─► clientes               depois das notas, com --clientes: o que se viu do simulador de cada um
//!                    └─► planilha, moodle, paginas ─► resultado     o que se entrega ao professor
//! ```
//!
//! O programa de um aluno nunca se executa com os direitos do professor sem que ele o peça, e nunca alcança o
//! arquivo em que a nota se escreve. Quem dá a nota é o [`avaliacao`](crate::avaliacao), como a um servidor só.

mod cela;
mod clientes;
pub mod correcao;
mod corrida;
mod entregas;
mod ferramentas;
mod filtro;
mod fontes;
mod impressao;
mod moodle;
mod pacote;
mod paginas;
mod planilha;
mod receita;
mod resultado;
mod vigia;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use protocolo::terminal::{AoDesligar, ao_receberem_sinais, contar, dizer, explicar};
use thiserror::Error;

use crate::avaliacao::pesos::{self, Pesos};
use crate::conversa::parada::Parada;
use crate::opcoes::OpcoesDaTurma;
use correcao::{Isolamento, Regras};
use corrida::Corrida;
use ferramentas::Ferramentas;
use resultado::Resultado;

/// Quanto disco uma entrega pode gastar.
const DISCO: u64 = 256 * 1024 * 1024;

/// Processos e threads que uma entrega pode ter além de dois por comprador.
const PROCESSOS: u64 = 256;

/// Clientes observados ao mesmo tempo em cada núcleo: dormem quase todo o tempo.
const CLIENTES_POR_NUCLEO: usize = 4;

/// Por que não houve turma.
#[derive(Debug, Error)]
pub enum Erro {
    /// A pasta não se lê.
    #[error("não posso ler a pasta '{}': {}", .0.display(), explicar(.1))]
    Pasta(PathBuf, io::Error),
    /// Não há entregas.
    #[error("'{}' não tem nenhuma entrega: cada uma é uma pasta, um arquivo ou um .zip", .0.display())]
    Vazia(PathBuf),
    /// O resultado não se escreve.
    #[error("não posso escrever em '{}': {}; confira --saida", .0.display(), explicar(.1))]
    Saida(PathBuf, io::Error),
    /// Outra turma escreve na mesma pasta.
    #[error("outro `cliente turma` está a escrever em '{}': espere que acabe, ou use outra --saida", .0.display())]
    Ocupada(PathBuf),
    /// Os pesos não servem.
    #[error(transparent)]
    Pesos(#[from] pesos::Erro),
    /// A planilha não serve.
    #[error(transparent)]
    Moodle(#[from] moodle::Erro),
    /// Não se pode ouvir o Ctrl-C.
    #[error("não posso capturar o Ctrl-C: {}", explicar(.0))]
    SemCtrlC(io::Error),
    /// Não se pode isolar, e ninguém aceitou avaliar assim.
    #[error("{0}.\n{SEM_PROTECAO}\nSe confia no que se entregou, aceite com --sem-isolamento.")]
    SemIsolamento(String),
}

/// Quantas se avaliam ao mesmo tempo, por mais núcleos que haja: cada uma espera, dentro do seu `--tempo-maximo`, pelas que
/// precisam de ficar sozinhas.
const VAGAS_MAXIMAS: usize = 16;

/// O que se diz a quem avalia sem isolar.
const SEM_PROTECAO: &str = "Sem isolamento, o programa de cada aluno executa com os seus direitos: pode ler e apagar os \
     seus arquivos, usar a rede, mudar a própria nota e deixar processos para trás; e a avaliação é uma de cada vez, \
     porque todos usam a mesma porta.";

/// Corrige a turma inteira; `false` se foi interrompida, com o que se fez já escrito.
///
/// # Errors
///
/// Não há o que corrigir, ou como, ou onde escrever.
pub fn corrigir_a_turma(opcoes: &OpcoesDaTurma) -> Result<bool, Erro> {
    let pesos = Pesos::ler(opcoes.pesos.as_deref())?;
    let moodle = opcoes.moodle.as_deref().map(moodle::Planilha::ler).transpose()?;
    let saida = opcoes.saida.clone().unwrap_or_else(|| ao_lado(&opcoes.pasta));
    let entregas = entregas::procurar(&opcoes.pasta, &saida)
        .map_err(|erro| Erro::Pasta(opcoes.pasta.clone(), erro))?;
    if entregas.is_empty() {
        return Err(Erro::Vazia(opcoes.pasta.clone()));
    }
    let parada = parar_ao_sinal().map_err(Erro::SemCtrlC)?;
    let isolamento = isolar(opcoes)?;
    let ao_escrever = |erro| Erro::Saida(saida.clone(), erro);
    for pasta in ["alunos", "registro"] {
        fs::create_dir_all(saida.join(pasta)).map_err(ao_escrever)?;
    }
    let _tranca = trancar(&saida)?;
    let ferramentas = Ferramentas::da_maquina(isolamento.is_some());
    let isolamento = isolamento
        .map(|isolamento| Isolamento { tambem: ferramentas.tambem.clone(), ..isolamento });
    let nucleos = thread::available_parallelism().map_or(1, usize::from);
    let vagas = isolamento
        .as_ref()
        .map_or(1, |_| opcoes.ao_mesmo_tempo.unwrap_or(VAGAS_MAXIMAS.min(2 * nucleos)));
    dizer(format_args!(
        "{}, {} por vez; o resultado vai a {}",
        contar(entregas.len(), "entrega", "entregas"),
        vagas,
        saida.display()
    ));
    let regras = Regras { medida: opcoes.medida.clone(), pesos };
    let corrida = Corrida::nova(opcoes, regras, isolamento, ferramentas, &saida, &parada)
        .map_err(ao_escrever)?;
    let mut resultados =
        corrida.correr(&entregas, vagas.min(entregas.len())).map_err(ao_escrever)?;
    // Um cliente que vale pontos não pode ficar por observar.
    let com_clientes = opcoes.clientes || pesos.cliente > 0.0;
    if com_clientes {
        let juntos = if vagas == 1 { 1 } else { CLIENTES_POR_NUCLEO * nucleos };
        corrida.observar_clientes(&entregas, &mut resultados, juntos).map_err(ao_escrever)?;
    }
    let pronta = |resultado: &&Resultado| !com_clientes || resultado.observado.is_some();
    let prontas = resultados.iter().filter(pronta).count();
    let inteira = prontas == entregas.len();
    let publicou = publicar(&saida, &resultados, entregas.len(), inteira, moodle.as_ref())
        .map_err(ao_escrever)?;
    dizer(match inteira {
        true => format!(
            "{}; abra {}",
            paginas::resumo(&resultados, entregas.len()),
            saida.join("index.html").display()
        ),
        false => como_continuar(prontas, entregas.len(), publicou, opcoes.de_novo),
    });
    Ok(!parada.pedida())
}

/// O que se diz a quem interrompeu.
fn como_continuar(prontas: usize, entregas: usize, publicou: bool, de_novo: bool) -> String {
    let publicadas = if publicou { "" } else { "as notas publicadas são as de antes; " };
    let repetir = match de_novo {
        true => "com --de-novo, o mesmo comando recomeça",
        false => "repita o mesmo comando para continuar",
    };
    format!("{prontas} de {entregas} prontas; {publicadas}{repetir}")
}

/// Também o terminal que fecha: quem morre na hora deixa para trás as cópias do que se entregou.
fn parar_ao_sinal() -> io::Result<Arc<Parada>> {
    let parada = Arc::new(Parada::default());
    let avisada = Arc::clone(&parada);
    ao_receberem_sinais("cliente", AoDesligar::Parar, move || avisada.pedir())?;
    Ok(parada)
}

/// Uma turma de cada vez em cada pasta: duas trocariam as páginas e as notas uma da outra. O sistema a solta quando este
/// programa acaba, seja como for.
fn trancar(saida: &Path) -> Result<File, Erro> {
    let ao_escrever = |erro| Erro::Saida(saida.to_owned(), erro);
    let tranca = File::create(saida.join("registro").join("tranca")).map_err(ao_escrever)?;
    match tranca.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Erro::Ocupada(saida.to_owned())),
        // Se o sistema não tranca, segue-se como se não houvesse outra.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(tranca),
    }
}

/// `entregas` tem o resultado em `entregas-notas`, ao lado.
fn ao_lado(pasta: &Path) -> PathBuf {
    let inteira = fs::canonicalize(pasta).unwrap_or_else(|_| pasta.to_owned());
    let nome = inteira.file_name().unwrap_or_default().to_string_lossy().into_owned();
    inteira.with_file_name(format!("{nome}-notas"))
}

/// Como se isola; `None` se não se isola, e o professor aceitou.
fn isolar(opcoes: &OpcoesDaTurma) -> Result<Option<Isolamento>, Erro> {
    if opcoes.sem_isolamento {
        dizer(SEM_PROTECAO);
        return Ok(None);
    }
    cela::testar().map_err(Erro::SemIsolamento)?;
    Ok(Some(Isolamento {
        memoria: opcoes.memoria,
        disco: DISCO,
        processos: PROCESSOS + 2 * opcoes.medida.compradores as u64,
        tambem: Vec::new(),
    }))
}

/// Escreve o que a turma tem. Uma turma que se interrompeu não troca o que já estava publicado por menos: se lhe falta
/// alguma coisa do que havia, tudo fica como estava, e a resposta é `false`.
fn publicar(
    saida: &Path,
    resultados: &[Resultado],
    entregas: usize,
    inteira: bool,
    moodle: Option<&moodle::Planilha>,
) -> io::Result<bool> {
    for resultado in resultados {
        paginas::juntar_o_cliente(&saida.join("alunos"), resultado)?;
    }
    let (caminho, nova) = (saida.join("turma.csv"), planilha::escrever(resultados)?);
    if !inteira && fs::read(&caminho).is_ok_and(|antes| planilha::perde(&antes, &nova)) {
        return Ok(false);
    }
    fs::write(caminho, nova)?;
    fs::write(saida.join("index.html"), paginas::indice(resultados, entregas))?;
    if let Some(planilha) = moodle {
        for aviso in planilha.preencher(resultados, saida)? {
            dizer(aviso);
        }
    }
    Ok(true)
}
