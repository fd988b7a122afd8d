//! O comando que a entrega traz em `iniciar.txt`, escrito de todos os jeitos, e o que há nela que não é um arquivo.
//!
//! Nenhum destes servidores abre: cada um diz o que recebeu, e acaba.

use super::*;

/// Um servidor que diz com que argumentos o abriram.
const DIZ_O_QUE_RECEBEU: &str =
    "import sys\nif False: s.listen()\nsys.exit('recebi ' + ascii(sys.argv[1:]))\n";

impl Turma {
    /// Uma entrega com o comando nestes bytes.
    fn com_comando(&self, entrega: &str, comando: &[u8]) {
        self.entregar(entrega, "meu servidor.py", DIZ_O_QUE_RECEBEU);
        fs::write(self.entregas().join(entrega).join("iniciar.txt"), comando).unwrap();
    }
}

fn em_utf16(texto: &str, ordem: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{texto}").encode_utf16().flat_map(ordem).collect()
}

#[test]
fn o_comando_da_entrega_se_le_como_quer_que_o_tenham_escrito() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    let comando = "python3 \"meu servidor.py\" é\r\n";
    let com_marca = [b"\xEF\xBB\xBF", comando.as_bytes()].concat();
    turma.com_comando("utf8", comando.as_bytes());
    turma.com_comando("utf8-com-marca", &com_marca);
    turma.com_comando("utf16-le", &em_utf16(comando, u16::to_le_bytes));
    turma.com_comando("utf16-be", &em_utf16(comando, u16::to_be_bytes));
    turma.com_comando("latin1", b"# de um Windows antigo\r\npython3 \"meu servidor.py\" \xE9\r\n");
    turma.com_comando("so-cr", b"# de um Mac antigo\rpython3 'meu servidor.py' \xC3\xA9\r");
    turma.com_comando("vazio", b"\r\n \n");
    turma.com_comando("nulo", b"python3 x\0y\n");
    turma.com_comando("comprido", "x".repeat(130 * 1024).as_bytes());
    turma.corrigir(&[]);
    for nome in ["utf8", "utf8-com-marca", "utf16-le", "utf16-be", "latin1", "so-cr"] {
        assert_eq!(turma.coluna(nome, "origem"), "aberto com o comando de iniciar.txt", "{nome}");
        let razao = turma.coluna(nome, "razao");
        assert!(razao.contains(r"recebi ['\xe9']"), "{nome}: {razao}");
    }
    assert_eq!(turma.coluna("vazio", "origem"), "adivinhado pelo que a entrega tem");
    for (nome, motivo) in
        [("vazio", "recebi []"), ("nulo", "caractere nulo"), ("comprido", "comprido demais")]
    {
        let razao = turma.coluna(nome, "razao");
        assert!(razao.contains(motivo), "{nome}: {razao}");
        assert_eq!(turma.nota(nome), "0.00");
    }
    let dito = turma.coluna("comprido", "iniciar").len();
    assert!(dito < 1024, "do comando comprido se repete só o começo: {dito}");
}

#[test]
fn um_cano_na_entrega_nao_prende_a_turma() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.entregar("canos", "servidor.py", DIZ_O_QUE_RECEBEU);
    for nome in ["iniciar.txt", "outro.py", "pacote.zip"] {
        let cano = turma.entregas().join("canos").join(nome);
        assert!(std::process::Command::new("mkfifo").arg(cano).status().unwrap().success());
    }
    turma.corrigir(&[]);
    let razao = turma.coluna("canos", "razao");
    assert!(razao.contains("recebi []"), "{razao}");
    let outra = turma.corrigir(&[]);
    assert!(outra.erro.contains("1 não mudaram"), "{outra:?}");
}

#[test]
fn o_nome_de_um_arquivo_nao_escreve_no_terminal_do_professor() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    let engana = "\u{1b}[2J\rAna: 10,0\u{202e}";
    turma.entregar("servidor", &format!("{engana}.py"), DIZ_O_QUE_RECEBEU);
    turma.entregar("nenhum escuta", &format!("{engana}.py"), "print()\n");
    turma.entregar("nenhum programa", &format!("{engana}.pdf"), "%PDF");
    turma.entregar("pacote", &format!("{engana}.rar"), "Rar!");
    turma.entregar("estragado", &format!("{engana}.zip"), "PK");
    let fim = turma.corrigir(&[]);
    let csv = fs::read_to_string(turma.saida().join("turma.csv")).unwrap();
    for texto in [&fim.erro, &csv] {
        let controle = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!texto.contains(controle), "{texto:?}");
        assert!(texto.matches(r"\u{1b}[2J").count() >= 5, "{texto}");
    }
}
