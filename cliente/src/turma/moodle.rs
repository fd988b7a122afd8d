//! A planilha de notas do Moodle: lê a que ele dá e escreve outra, com as mesmas colunas, na mesma língua, e as notas; e
//! a pasta de comentários que ele importa, uma por pessoa.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use protocolo::terminal::{explicar, inofensivo};
use thiserror::Error;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::entregas::sem_acento;
use super::resultado::Resultado;

/// O começo que alguns programas põem no UTF-8.
const BOM: &str = "\u{feff}";

/// A planilha não serve.
#[derive(Debug, Error)]
pub enum Erro {
    /// Não se lê.
    #[error("não posso ler '{}': {}; confira --moodle", .0.display(), explicar(.1))]
    NaoSeLe(PathBuf, io::Error),
    /// Não é a do Moodle.
    #[error(
        "'{}' não parece a planilha de notas do Moodle: não achei a coluna {coluna}; na tarefa, é 'Baixar planilha de notas'",
        .caminho.display()
    )]
    OutraPlanilha {
        /// O arquivo.
        caminho: PathBuf,
        /// A coluna que falta.
        coluna: &'static str,
    },
}

/// A planilha que o Moodle deu.
#[derive(Debug)]
pub struct Planilha {
    bom: bool,
    separador: u8,
    linhas: Vec<Vec<String>>,
    colunas: Colunas,
}

/// Onde está cada coluna.
#[derive(Debug, Clone, Copy)]
struct Colunas {
    identificador: Option<usize>,
    nome: usize,
    nota: usize,
    maxima: Option<usize>,
    comentario: Option<usize>,
}

impl Planilha {
    /// Lê a planilha.
    ///
    /// # Errors
    ///
    /// Não se lê, ou não é a do Moodle.
    pub fn ler(caminho: &Path) -> Result<Self, Erro> {
        let texto =
            fs::read_to_string(caminho).map_err(|erro| Erro::NaoSeLe(caminho.into(), erro))?;
        Self::do_texto(&texto)
            .map_err(|coluna| Erro::OutraPlanilha { caminho: caminho.into(), coluna })
    }

    fn do_texto(texto: &str) -> Result<Self, &'static str> {
        let sem_bom = texto.strip_prefix(BOM).unwrap_or(texto);
        let titulos = sem_bom.lines().next().unwrap_or_default();
        let separador =
            [b';', b'\t'].into_iter().find(|s| titulos.contains(*s as char)).unwrap_or(b',');
        let mut leitor = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separador)
            .from_reader(sem_bom.as_bytes());
        let lidas = leitor.records().map_while(Result::ok);
        let linhas: Vec<Vec<String>> =
            lidas.map(|l| l.iter().map(String::from).collect()).collect();
        let colunas = colunas(linhas.first().map(Vec::as_slice).unwrap_or_default())?;
        Ok(Planilha { bom: sem_bom.len() < texto.len(), separador, linhas, colunas })
    }

    /// Escreve a planilha preenchida e a pasta de comentários; diz quem não se achou.
    ///
    /// # Errors
    ///
    /// Não se pôde escrever.
    pub fn preencher(&self, resultados: &[Resultado], saida: &Path) -> io::Result<Vec<String>> {
        let mut linhas = self.linhas.clone();
        let mut avisos = Vec::new();
        for resultado in resultados {
            match self.linha_de(resultado) {
                Some(linha) => self.por_a_nota(&mut linhas[linha], resultado),
                None => avisos.push(format!("{} não está na planilha do Moodle", resultado.nome)),
            }
        }
        let mut csv = csv::WriterBuilder::new()
            .flexible(true)
            .delimiter(self.separador)
            .from_writer(Vec::new());
        for linha in &linhas {
            csv.write_record(linha)?;
        }
        let corpo = csv.into_inner().map_err(|erro| io::Error::other(erro.to_string()))?;
        let mut inteira = if self.bom { BOM.as_bytes().to_vec() } else { Vec::new() };
        inteira.extend(corpo);
        fs::write(saida.join("moodle.csv"), inteira)?;
        comentarios(resultados, saida)?;
        Ok(avisos)
    }

    /// A linha de quem entregou: pelo número, ou, sem ele, pelo nome, se é de um só.
    fn linha_de(&self, resultado: &Resultado) -> Option<usize> {
        let linhas =
            || (1..self.linhas.len()).filter(|i| self.linhas[*i].len() > self.colunas.nota);
        if let (Some(id), Some(coluna)) = (&resultado.id, self.colunas.identificador) {
            let numero = |linha: &usize| {
                let campo = self.linhas[*linha].get(coluna)?;
                Some(campo.chars().filter(char::is_ascii_digit).collect::<String>())
            };
            if let Some(achada) = linhas().find(|linha| numero(linha).as_ref() == Some(id)) {
                return Some(achada);
            }
        }
        let nome = sem_acento(&resultado.nome);
        let mesmo = |linha: &usize| {
            self.linhas[*linha]
                .get(self.colunas.nome)
                .is_some_and(|campo| sem_acento(campo) == nome)
        };
        let achadas: Vec<usize> = linhas().filter(mesmo).collect();
        if let [uma] = achadas[..] { Some(uma) } else { None }
    }

    fn por_a_nota(&self, linha: &mut [String], resultado: &Resultado) {
        // Quem não se pôde avaliar fica como estava.
        let Some(nota) = resultado.nota() else { return };
        let escrita =
            self.colunas.maxima.and_then(|coluna| linha.get(coluna).cloned()).unwrap_or_default();
        let maxima = escrita.replace(',', ".").parse::<f64>().ok().filter(|maxima| *maxima > 0.0);
        let nota = nota * maxima.unwrap_or(10.0) / resultado.maxima();
        let texto = format!("{nota:.2}");
        linha[self.colunas.nota] =
            if escrita.contains(',') { texto.replace('.', ",") } else { texto };
        // Se não há nada a dizer, fica o que o professor já disse.
        let razao = Some(resultado.razao()).filter(|razao| !razao.is_empty());
        let campo = self.colunas.comentario.and_then(|coluna| linha.get_mut(coluna));
        if let (Some(campo), Some(razao)) = (campo, razao) {
            *campo = inofensivo(&razao);
        }
    }
}

/// Acha as colunas, em português, inglês ou espanhol.
fn colunas(titulos: &[String]) -> Result<Colunas, &'static str> {
    let titulos: Vec<String> = titulos.iter().map(|titulo| sem_acento(titulo)).collect();
    let achar = |nomes: &[&str]| titulos.iter().position(|titulo| nomes.contains(&titulo.as_str()));
    Ok(Colunas {
        identificador: achar(&["identificador", "identifier", "id"]),
        nome: achar(&["nome-completo", "full-name", "nombre-completo", "nome", "name"])
            .ok_or("do nome")?,
        nota: achar(&["nota", "avaliacao", "grade", "calificacion"]).ok_or("da nota")?,
        maxima: achar(&["nota-maxima", "avaliacao-maxima", "maximum-grade", "calificacion-maxima"]),
        comentario: achar(&[
            "comentarios-de-feedback",
            "comentarios-do-feedback",
            "feedback-comments",
            "comentarios-de-retroalimentacion",
        ]),
    })
}

/// A pasta de comentários, e o `.zip` dela, que é o que o Moodle recebe: um arquivo por pessoa, com o nome que ele dá aos
/// que se entregam.
fn comentarios(resultados: &[Resultado], saida: &Path) -> io::Result<()> {
    let pasta = saida.join("moodle-comentarios");
    if pasta.exists() {
        fs::remove_dir_all(&pasta)?;
    }
    fs::create_dir_all(&pasta)?;
    let mut zip = ZipWriter::new(fs::File::create(saida.join("moodle-comentarios.zip"))?);
    for resultado in resultados {
        let Some(id) = &resultado.id else { continue };
        // O Moodle lê o número depois do primeiro sublinhado.
        let nome = resultado.nome.replace(['/', '_'], " ");
        let arquivo = format!("{nome}_{id}_assignsubmission_file_laudo.html");
        let pagina = fs::read(saida.join("alunos").join(format!("{}.html", resultado.apelido)))?;
        fs::write(pasta.join(&arquivo), &pagina)?;
        zip.start_file(arquivo, SimpleFileOptions::default()).map_err(io::Error::other)?;
        zip.write_all(&pagina)?;
    }
    zip.finish().map_err(io::Error::other)?;
    Ok(())
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::observacao::regras::Estado;
    use crate::turma::resultado::Desfecho;
    use crate::turma::resultado::exemplos::{avaliada, com_cliente, nao_abriu};

    const EM_PORTUGUES: &str = "\u{feff}Identificador,\"Nome completo\",\"Endereço de email\",Status,Nota,\"Nota máxima\",\"A nota pode ser alterada\",\"Comentários de feedback\"\r\n\
        \"Participante 123\",\"Ana Lima\",ana@x.br,Enviado,,\"10,00\",Sim,\r\n\
        \"Participante 7\",\"Beto Sá\",beto@x.br,Enviado,\"8,00\",\"10,00\",Sim,\"de antes\"\r\n";

    fn preenchida(planilha: &str, resultados: &[Resultado]) -> (String, Vec<String>) {
        let saida = tempfile::tempdir().unwrap();
        fs::create_dir(saida.path().join("alunos")).unwrap();
        for resultado in resultados {
            let pagina = saida.path().join(format!("alunos/{}.html", resultado.apelido));
            fs::write(pagina, "laudo").unwrap();
        }
        let avisos =
            Planilha::do_texto(planilha).unwrap().preencher(resultados, saida.path()).unwrap();
        (fs::read_to_string(saida.path().join("moodle.csv")).unwrap(), avisos)
    }

    fn com_id(id: &str, resultado: Resultado) -> Resultado {
        Resultado { id: Some(id.into()), ..resultado }
    }

    #[test]
    fn a_planilha_guarda_as_colunas_e_a_lingua_e_ganha_a_nota() {
        let (texto, avisos) =
            preenchida(EM_PORTUGUES, &[com_id("123", avaliada("outro nome", 9.5))]);
        assert!(
            texto.starts_with("\u{feff}Identificador,Nome completo,Endereço de email,Status,Nota,")
        );
        assert!(
            texto.contains("Participante 123,Ana Lima,ana@x.br,Enviado,\"9,50\",\"10,00\",Sim,"),
            "{texto}"
        );
        assert!(
            texto.contains("Beto Sá,beto@x.br,Enviado,\"8,00\",\"10,00\",Sim,de antes"),
            "o outro não muda"
        );
        assert_eq!(avisos, [""; 0]);
    }

    #[test]
    fn o_comentario_do_professor_so_se_troca_por_uma_razao() {
        let comentario = |razao: &str| {
            let mut beto = com_id("7", avaliada("Beto", 10.0));
            if let Desfecho::Avaliada(avaliada) = &mut beto.desfecho {
                avaliada.razao = razao.into();
            }
            let (texto, _) = preenchida(EM_PORTUGUES, &[beto]);
            texto.lines().last().unwrap().rsplit_once("Sim,").unwrap().1.to_owned()
        };
        assert_eq!(comentario(""), "de antes");
        assert_eq!(comentario("perdeu um pedido"), "perdeu um pedido");
    }

    #[test]
    fn a_planilha_em_ingles_tem_ponto_e_a_escala_dela() {
        let ingles = "Identifier,Full name,Grade,Maximum grade,Feedback comments\nParticipant 1,Ana Lima,,100.00,\n";
        let (texto, _) = preenchida(ingles, &[avaliada("ana lima", 9.5)]);
        assert!(texto.contains("Participant 1,Ana Lima,95.00,100.00,Protocolo"), "{texto}");
    }

    #[test]
    fn o_cliente_que_vale_pontos_entra_na_escala_da_planilha() {
        let ingles = "Identifier,Full name,Grade,Maximum grade\nParticipant 1,Ana,,10.00\n";
        let tudo = com_cliente(avaliada("ana", 10.0), &[("§5.1", Estado::Cumprido)], 2.5);
        assert!(preenchida(ingles, &[tudo]).0.contains("Participant 1,Ana,10.00,10.00"));
        let nada = com_cliente(avaliada("ana", 10.0), &[("§5.1", Estado::NaoCumprido)], 2.5);
        assert!(preenchida(ingles, &[nada]).0.contains("Participant 1,Ana,8.00,10.00"));
    }

    #[test]
    fn quem_nao_esta_na_planilha_se_diz_e_um_homonimo_nao_recebe_a_nota_do_outro() {
        let dois = "Identifier,Full name,Grade\nParticipant 1,Ana,\nParticipant 2,Ana,\n";
        let (texto, avisos) = preenchida(dois, &[avaliada("Ana", 9.5), nao_abriu("Caio")]);
        assert!(!texto.contains("9.50"), "{texto}");
        assert_eq!(
            avisos,
            ["Ana não está na planilha do Moodle", "Caio não está na planilha do Moodle"]
        );
    }

    #[test]
    fn outra_planilha_se_recusa() {
        assert_eq!(Planilha::do_texto("a,b\n1,2\n").unwrap_err(), "do nome");
    }

    #[test]
    fn a_pasta_de_comentarios_tem_o_nome_que_o_moodle_espera() {
        let saida = tempfile::tempdir().unwrap();
        fs::create_dir(saida.path().join("alunos")).unwrap();
        fs::write(saida.path().join("alunos/ana.html"), "laudo").unwrap();
        comentarios(&[com_id("123", avaliada("Ana", 9.5))], saida.path()).unwrap();
        let zip = fs::File::open(saida.path().join("moodle-comentarios.zip")).unwrap();
        let zip = zip::ZipArchive::new(zip).unwrap();
        let nomes: Vec<&str> = zip.file_names().collect();
        assert_eq!(nomes, ["Ana_123_assignsubmission_file_laudo.html"]);
    }
}
